-- Applies what became of leased jobs, once: a batch that is sent again after a lost answer changes nothing.
-- KEYS: workers, worker, leases, jobs, ready, delayed, tries, losses, dead, dead_jobs, dead_reasons, stats, lanes.
-- ARGV: worker name, number of this batch, wake channel, day, most dead letters, then five counts and their jobs:
-- done (id), handed back (id), later (id, due ms), retried (id, delay ms), dead (id, reason); at most 500 in all.
-- Answers 1, or 0 when the worker is not registered: then its jobs are, or will be, somebody else's.
local workers, worker, leases, jobs, ready, delayed, tries, losses = unpack(KEYS, 1, 8)
local stats = KEYS[12]
if not redis.call('ZSCORE', workers, ARGV[1]) then return 0 end
local number = tonumber(ARGV[2])
if number <= tonumber(redis.call('HGET', worker, 'finish') or '0') then return 1 end
redis.call('HSET', worker, 'finish', number)

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local day, dead_max = tonumber(ARGV[4]), tonumber(ARGV[5])
local at = 11
local function take(count, width)
  local from = at
  at = at + count * width
  return from, at - 1
end
local wake = false

local done = tonumber(ARGV[6])
if done > 0 then
  local first, last = take(done, 1)
  redis.call('ZREM', leases, unpack(ARGV, first, last))
  redis.call('HDEL', jobs, unpack(ARGV, first, last))
  if redis.call('EXISTS', tries) == 1 then redis.call('ZREM', tries, unpack(ARGV, first, last)) end
  if redis.call('EXISTS', losses) == 1 then redis.call('ZREM', losses, unpack(ARGV, first, last)) end
  redis.call('HINCRBY', stats, 'done', done)
  -- Seven days of activity are kept; a day's first batch forgets the day that falls out.
  if redis.call('HINCRBY', stats, 'done@' .. day, done) == done then
    redis.call('HDEL', stats, 'done@' .. (day - 7), 'done@' .. (day - 8), 'done@' .. (day - 9))
  end
end

local back = tonumber(ARGV[7])
if back > 0 then
  local first, last = take(back, 1)
  redis.call('ZREM', leases, unpack(ARGV, first, last))
  for i = last, first, -1 do give_back(ready, KEYS[13], ARGV[i]) end
  wake = true
end

local head = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
local earliest = head[2] and tonumber(head[2]) or math.huge
local function delay(id, due)
  redis.call('ZREM', leases, id)
  redis.call('ZADD', delayed, due, id)
  if due < earliest then wake = true end
end

local later = tonumber(ARGV[8])
local first, last = take(later, 2)
for i = first, last, 2 do
  delay(ARGV[i], tonumber(ARGV[i + 1]))
  redis.call('ZREM', tries, ARGV[i])
  redis.call('ZREM', losses, ARGV[i])
end

local retried = tonumber(ARGV[9])
first, last = take(retried, 2)
for i = first, last, 2 do
  delay(ARGV[i], now + tonumber(ARGV[i + 1]))
  redis.call('ZINCRBY', tries, 1, ARGV[i])
end

local dead = tonumber(ARGV[10])
first, last = take(dead, 2)
local keys = { jobs = jobs, tries = tries, losses = losses, dead = KEYS[9], dead_jobs = KEYS[10], dead_reasons = KEYS[11], stats = stats }
for i = first, last, 2 do
  redis.call('ZREM', leases, ARGV[i])
  redis.call('ZINCRBY', tries, 1, ARGV[i])
  bury(keys, ARGV[i], ARGV[i + 1], now, dead_max)
end

if retried + dead > 0 then redis.call('HINCRBY', stats, 'failed', retried + dead) end
if wake then redis.call('PUBLISH', ARGV[3], '') end
return 1
