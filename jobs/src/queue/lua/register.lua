-- Registers a worker under a name that was never used before.
-- KEYS: workers, worker. ARGV: worker name, concurrency.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('HSET', KEYS[2], 'started', now, 'concurrency', ARGV[2])
return 1
