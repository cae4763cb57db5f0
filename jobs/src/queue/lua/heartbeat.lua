-- Says that a worker lives. Answers 0 when it was taken for dead meanwhile: it needs a new name then.
-- KEYS: workers. ARGV: worker name.
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
local time = redis.call('TIME')
redis.call('ZADD', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000), ARGV[1])
return 1
