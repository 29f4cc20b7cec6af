-- Removes from a queue what is older than the retention and that every group is past.
-- KEYS: the stream
-- ARGV: retention (ms)
-- Returns how many were removed.
local time = redis.call('TIME')
local keep = { time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[1], 0 }
local function earlier(id)
  local ms, sequence = string.match(id, '^(%d+)-(%d+)$')
  ms, sequence = tonumber(ms), tonumber(sequence)
  if ms < keep[1] or (ms == keep[1] and sequence < keep[2]) then
    keep = { ms, sequence }
  end
end
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local facts = {}
  for at = 1, #group, 2 do
    facts[group[at]] = group[at + 1]
  end
  earlier(facts['last-delivered-id'])
  local pending = redis.call('XPENDING', KEYS[1], facts['name'])
  if pending[1] > 0 then
    earlier(pending[2])
  end
end
return redis.call('XTRIM', KEYS[1], 'MINID', '~', string.format('%.0f-%.0f', keep[1], keep[2]))
