-- All that is done with a key, which holds "L" and a token, or "D" once it is done, and always expires. Safe because a
-- script is atomic and this one touches its one key alone, whatever holds it; so it runs on a cluster, too.
local operation = ARGV[1]
if operation == 'done' then
    redis.call('SET', KEYS[1], 'D', 'PX', ARGV[2])
    return 1
end
local held = redis.call('GET', KEYS[1])
if operation == 'acquire' then
    if held == 'D' then
        return -2
    elseif not held then
        redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[2])
        return -1
    elseif string.sub(held, 1, 1) == 'L' then
        return math.max(redis.call('PTTL', KEYS[1]), 0)
    end
    return -3
end
if held ~= ARGV[3] then
    return 0
elseif operation == 'extend' then
    return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return redis.call('DEL', KEYS[1])
