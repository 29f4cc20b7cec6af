-- Takes messages of a queue for a group: first those that are due again or whose member is late, then new ones.
-- KEYS: the stream, when each failed message is due (a hash)
-- ARGV: group, lease (ms), most that may be out, most that are wanted now
-- Returns the milliseconds until one of those that are out could be taken (-1: none is out), and for each message its id, which
-- attempt it is, and its words.
local stream, due = KEYS[1], KEYS[2]
local group, lease, out, wanted = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local wait, taken, busy = -1, {}, 0
for _, pending in ipairs(redis.call('XPENDING', stream, group, '-', '+', out)) do
  local id, idle, attempt = pending[1], pending[3], pending[4]
  local at = redis.call('HGET', due, id)
  local left = at and at - now or lease - idle
  if left > 0 then
    wait = (wait < 0 or left < wait) and left or wait
    busy = busy + 1
  elseif #taken < wanted then
    local entry = redis.call('XCLAIM', stream, group, 'member', 0, id)[1]
    redis.call('HDEL', due, id)
    if entry then
      taken[#taken + 1] = { id, attempt + 1, entry[2] }
      busy = busy + 1
    else
      -- Somebody has removed it from the stream.
      redis.call('XACK', stream, group, id)
    end
  else
    wait = 0
    busy = busy + 1
  end
end
local more = math.min(out - busy, wanted - #taken)
if more > 0 then
  local found = redis.call('XREADGROUP', 'GROUP', group, 'member', 'COUNT', more, 'STREAMS', stream, '>')
  for _, entry in ipairs(found and found[1][2] or {}) do
    taken[#taken + 1] = { entry[1], 1, entry[2] }
  end
end
return { wait, taken }
