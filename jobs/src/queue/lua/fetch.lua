-- Leases ready jobs to a worker, after moving those that are due to the end of the ready list.
-- KEYS: workers, worker, leases, jobs, ready, delayed, paused, tries.
-- ARGV: worker name, token of this fetch, most jobs (at most 1,000), most bytes.
-- The token is the lease's score. A repeated token, after a lost answer, gives the same jobs again and takes no others.
-- Answers {more, wait in ms for the next delayed job or -1, ids, frames, tries}; more = -1: the worker is not registered.
local workers, worker, leases, jobs, ready, delayed, paused, tries = unpack(KEYS)
local name, token, limit, bytes_max = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
if not redis.call('ZSCORE', workers, name) then return {-1, -1, {}, {}, {}} end

local ids, frames, more, wait = {}, {}, 0, -1
local last = tonumber(redis.call('HGET', worker, 'fetch') or '0')
if tonumber(token) <= last then
  ids = redis.call('ZRANGEBYSCORE', leases, token, token)
  if #ids > 0 then frames = redis.call('HMGET', jobs, unpack(ids)) end
  more = 1
else
  redis.call('HSET', worker, 'fetch', token)
  if redis.call('EXISTS', paused) == 1 then return {0, -1, {}, {}, {}} end
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)

  local due = redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, limit)
  if #due > 0 then
    redis.call('ZREM', delayed, unpack(due))
    redis.call('RPUSH', ready, unpack(due))
  end

  local taken, bytes, lease = 0, 0, {}
  while taken < limit and bytes < bytes_max do
    local step = math.min(64, limit - taken)
    local part = redis.call('LRANGE', ready, taken, taken + step - 1)
    if #part == 0 then break end
    local found = redis.call('HMGET', jobs, unpack(part))
    for i = 1, #part do
      if found[i] then
        ids[#ids + 1], frames[#frames + 1] = part[i], found[i]
        lease[#lease + 1], lease[#lease + 2] = token, part[i]
        bytes = bytes + #found[i]
      end
    end
    taken = taken + #part
    if #part < step then break end
  end
  if taken > 0 then redis.call('LTRIM', ready, taken, -1) end
  if #ids > 0 then redis.call('ZADD', leases, unpack(lease)) end

  if redis.call('LLEN', ready) > 0 then
    more = 1
  else
    local head = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
    if head[2] then wait = math.max(0, tonumber(head[2]) - now) end
  end
end

local tried = {}
if #ids > 0 and redis.call('EXISTS', tries) == 1 then
  for i = 1, #ids do tried[i] = redis.call('ZSCORE', tries, ids[i]) or '0' end
end
return {more, wait, ids, frames, tried}
