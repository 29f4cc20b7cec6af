-- Appends messages to a queue, but those whose id it has had within the window.
-- KEYS: the stream, then two hashes of ids, which take turns: each has those of one window, and who it is its number under 'window'
-- ARGV: window (ms; 0: none is remembered), most entries of the stream (0: no limit), channel, what is said there, how many
--       messages, their ids, then for each the number of its words, and these: name, value, …
-- For each message: 1 appended, 0 known already, -1 the stream is full
local stream, window, max, messages = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[5])
local length = max > 0 and redis.call('XLEN', stream) or 0
local ids = { unpack(ARGV, 6, 5 + messages) }
local known, current, number = {}, nil, nil
if window > 0 then
  local time = redis.call('TIME')
  number = math.floor((time[1] * 1000 + math.floor(time[2] / 1000)) / window)
  current = KEYS[2 + number % 2]
  for back = 0, 1 do
    local key = KEYS[2 + (number - back) % 2]
    local found = redis.call('HMGET', key, 'window', unpack(ids))
    if tonumber(found[1] or -1) == number - back then
      for message = 1, messages do
        known[ids[message]] = known[ids[message]] or found[message + 1]
      end
    elseif back == 0 and found[1] then
      -- Of the window before the last. Freed beside the server's other work: it may be large.
      redis.call('UNLINK', key)
    end
  end
end
local answers, at, new, failed = {}, 6 + messages, {}, nil
for message = 1, messages do
  local words, id = tonumber(ARGV[at]), ids[message]
  if known[id] then
    answers[message] = 0
  elseif max > 0 and length >= max then
    answers[message] = -1
  else
    local added = redis.pcall('XADD', stream, '*', unpack(ARGV, at + 1, at + words))
    if type(added) == 'table' then
      failed = added
      break
    end
    known[id] = window > 0
    length = length + 1
    answers[message] = 1
    new[#new + 1] = id
    new[#new + 1] = ''
  end
  at = at + words + 1
end
if #new > 0 then
  if window > 0 then
    redis.call('HSET', current, 'window', number, unpack(new))
    -- Nobody looks at it any more when the next window is over. Of a queue that is used it is freed above, of another one now.
    redis.call('PEXPIREAT', current, string.format('%.0f', (number + 3) * window))
  end
  redis.call('PUBLISH', ARGV[3], ARGV[4])
end
return failed or answers
