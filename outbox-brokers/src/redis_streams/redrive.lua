-- Moves a dead letter back to its queue, for its group alone.
-- KEYS: the stream, the group's dead letters
-- ARGV: id, channel, what is said there, name and value that say for which group, names that are only a dead letter's…
-- 1: done; 0: there is none
local entry = redis.call('XRANGE', KEYS[2], ARGV[1], ARGV[1])[1]
if not entry then
  return 0
end
local dropped = { [ARGV[4]] = true }
for name = 6, #ARGV do
  dropped[ARGV[name]] = true
end
local words = { ARGV[4], ARGV[5] }
for at = 1, #entry[2], 2 do
  if not dropped[entry[2][at]] then
    words[#words + 1] = entry[2][at]
    words[#words + 1] = entry[2][at + 1]
  end
end
redis.call('XADD', KEYS[1], '*', unpack(words))
redis.call('XDEL', KEYS[2], ARGV[1])
redis.call('PUBLISH', ARGV[2], ARGV[3])
return 1
