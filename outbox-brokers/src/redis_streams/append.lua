-- Appends messages to a queue, but those whose id it has had within the window.
-- KEYS: the stream, then what remembers each message's id
-- ARGV: window (ms; 0: none is remembered), most entries of the stream (0: no limit), channel, what is said there,
--       then for each message the number of its words, and these: name, value, …
-- For each message: 1 appended, 0 known already, -1 the stream is full
local stream, window, max = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
local length = max > 0 and redis.call('XLEN', stream) or 0
local answers, at, appended = {}, 5, 0
for message = 1, #KEYS - 1 do
  local words = tonumber(ARGV[at])
  local seen = KEYS[message + 1]
  if max > 0 and length >= max then
    answers[message] = window > 0 and redis.call('EXISTS', seen) == 1 and 0 or -1
  elseif window > 0 and not redis.call('SET', seen, '', 'PX', window, 'NX') then
    answers[message] = 0
  else
    local added = redis.pcall('XADD', stream, '*', unpack(ARGV, at + 1, at + words))
    if type(added) == 'table' then
      -- Not had after all.
      redis.call('DEL', seen)
      return added
    end
    if max > 0 then
      length = length + 1
    end
    answers[message] = 1
    appended = appended + 1
  end
  at = at + words + 1
end
if appended > 0 then
  redis.call('PUBLISH', ARGV[3], ARGV[4])
end
return answers
