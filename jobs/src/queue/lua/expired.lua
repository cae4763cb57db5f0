-- Names of workers whose leases may be taken over, at most 200.
-- KEYS: workers, reaping. ARGV: age in ms at which a heartbeat is too old.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local names = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[1]), 'LIMIT', 0, 100)
for _, name in ipairs(redis.call('SRANDMEMBER', KEYS[2], 100)) do names[#names + 1] = name end
return names
