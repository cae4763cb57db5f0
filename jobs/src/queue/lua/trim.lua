-- Forgets the oldest dead letters: those beyond the number that is kept, and those that are too old. Answers how many.
-- KEYS: dead, dead_jobs, dead_reasons. ARGV: most letters, at most 500, the time in ms before which they are too old, how many
-- are kept.
local most, kept = tonumber(ARGV[1]), tonumber(ARGV[3])
local beyond = math.min(most, redis.call('ZCARD', KEYS[1]) - kept)
local ids
if beyond > 0 then
  ids = redis.call('ZRANGE', KEYS[1], 0, beyond - 1)
else
  ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[2], 'LIMIT', 0, most)
end
if #ids > 0 then
  redis.call('ZREM', KEYS[1], unpack(ids))
  redis.call('HDEL', KEYS[2], unpack(ids))
  redis.call('HDEL', KEYS[3], unpack(ids))
end
return #ids
