-- Gives jobs of a worker that is taken for dead back to the front of their lanes.
-- KEYS: workers, reaping, worker, leases, ready, jobs, tries, losses, dead, dead_jobs, dead_reasons, stats, lanes.
-- ARGV: worker name, age in ms at which a heartbeat is too old, most jobs, wake channel, most dead letters, most losses.
-- Answers the number of jobs given back, or -1 when the worker lives.
-- From the first call on the name cannot come back: it is in `reaping`, not in `workers`, until nothing is leased to it.
local workers, reaping, worker, leases, ready, jobs, tries, losses = unpack(KEYS, 1, 8)
local name = ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local beat = redis.call('ZSCORE', workers, name)
if beat then
  if tonumber(beat) > now - tonumber(ARGV[2]) then return -1 end
  redis.call('ZREM', workers, name)
  redis.call('SADD', reaping, name)
end

local keys = { jobs = jobs, tries = tries, losses = losses, dead = KEYS[9], dead_jobs = KEYS[10], dead_reasons = KEYS[11], stats = KEYS[12] }
local ids = redis.call('ZRANGE', leases, 0, tonumber(ARGV[3]) - 1)
for i = #ids, 1, -1 do
  local lost = tonumber(redis.call('ZINCRBY', losses, 1, ids[i]))
  if lost > tonumber(ARGV[6]) then
    bury(keys, ids[i], 'its worker died ' .. lost .. ' times', now, tonumber(ARGV[5]))
  else
    give_back(ready, KEYS[13], ids[i])
  end
end
if #ids > 0 then
  redis.call('ZREM', leases, unpack(ids))
  redis.call('HINCRBY', KEYS[12], 'taken_over', #ids)
  redis.call('PUBLISH', ARGV[4], '')
end
if redis.call('EXISTS', leases) == 0 then
  redis.call('SREM', reaping, name)
  redis.call('DEL', worker)
end
return #ids
