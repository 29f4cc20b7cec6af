-- Writes the outcome of a delivery down, if it is still the newest one of its message.
-- KEYS: the stream, when each failed message is due, the group's dead letters
-- ARGV: group, id, attempt, channel, what is said there, outcome (`ack`; `retry`, ms until it is due; `dead`, words…)
-- 1: it counts; 0: the message was handed to another member meanwhile
local stream, due = KEYS[1], KEYS[2]
local group, id, attempt, outcome = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[6]
local pending = redis.call('XPENDING', stream, group, id, id, 1)[1]
if not pending or pending[4] ~= attempt or redis.call('HEXISTS', due, id) == 1 then
  return 0
end
if outcome == 'retry' then
  local time = redis.call('TIME')
  redis.call('HSET', due, id, string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[7]))
  if tonumber(ARGV[7]) > 0 then
    return 1
  end
else
  if outcome == 'dead' then
    redis.call('XADD', KEYS[3], '*', unpack(ARGV, 7))
  end
  redis.call('XACK', stream, group, id)
end
redis.call('PUBLISH', ARGV[4], ARGV[5])
return 1
