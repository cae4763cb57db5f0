-- Moves a job to the dead letters and keeps those within their bound, the newest.
local function bury(keys, id, reason, now, dead_max)
  local frame = redis.call('HGET', keys.jobs, id)
  if not frame then return end
  redis.call('HDEL', keys.jobs, id)
  redis.call('ZADD', keys.dead, now, id)
  redis.call('HSET', keys.dead_jobs, id, frame)
  redis.call('HSET', keys.dead_reasons, id, (redis.call('ZSCORE', keys.tries, id) or '0') .. '|' .. reason)
  redis.call('ZREM', keys.tries, id)
  redis.call('ZREM', keys.losses, id)
  redis.call('HINCRBY', keys.stats, 'dead', 1)
  if redis.call('ZCARD', keys.dead) > dead_max then
    local oldest = redis.call('ZRANGE', keys.dead, 0, 0)
    redis.call('ZREM', keys.dead, oldest[1])
    redis.call('HDEL', keys.dead_jobs, oldest[1])
    redis.call('HDEL', keys.dead_reasons, oldest[1])
    redis.call('HINCRBY', keys.stats, 'forgotten', 1)
  end
end
