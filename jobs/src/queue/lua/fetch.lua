-- Leases ready jobs to a worker, after moving those that are due to the end of their lanes. Lanes take turns, each for
-- its share of the fetch; the plain list is served like a lane.
-- KEYS: workers, worker, leases, jobs, ready, delayed, paused, tries, lanes.
-- ARGV: worker name, token of this fetch, most jobs (at most 500), most bytes.
-- The token is the lease's score. A repeated token, after a lost answer, gives the same jobs again and takes no others.
-- Answers {more, wait in ms for the next delayed job or -1, ids, frames, tries}; more = -1: the worker is not registered.
local workers, worker, leases, jobs, ready, delayed, paused, tries, lanes = unpack(KEYS)
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
    append(ready, lanes, due, true)
  end

  local taken, bytes, lease = 0, 0, {}
  local function is_full() return taken >= limit or bytes >= bytes_max end
  -- Takes up to `share` ids of a lane; answers whether it has more.
  local function take(lane, share)
    local list = list_of(ready, lane)
    while share > 0 and not is_full() do
      local step = math.min(64, share, limit - taken)
      local part = redis.call('LRANGE', list, 0, step - 1)
      if #part == 0 then return false end
      local found = redis.call('HMGET', jobs, unpack(part))
      for i = 1, #part do
        if found[i] then
          ids[#ids + 1], frames[#frames + 1] = part[i], found[i]
          lease[#lease + 1], lease[#lease + 2] = token, part[i]
          bytes = bytes + #found[i]
        end
      end
      redis.call('LTRIM', list, #part, -1)
      taken, share = taken + #part, share - #part
      if #part < step then return false end
    end
    return redis.call('EXISTS', list) == 1
  end

  local plain = redis.call('EXISTS', ready)
  local share = math.ceil(limit / math.max(1, redis.call('LLEN', lanes) + plain))
  if plain == 1 then take('', share) end
  while not is_full() do
    local lane = redis.call('LPOP', lanes)
    if not lane then break end
    if take(lane, share) then redis.call('RPUSH', lanes, lane) end
  end
  if plain == 1 then take('', limit) end
  if #ids > 0 then redis.call('ZADD', leases, unpack(lease)) end

  if is_waiting(ready, lanes) then
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
