-- Enqueues jobs that may run at once. A job whose id lives already is left as it is.
-- KEYS: jobs, ready, lanes. ARGV: wake channel, then id and frame of each job; ids are distinct, at most 500.
-- Answers the positions (from 0) of the jobs that were not new.
local jobs, ready, lanes = KEYS[1], KEYS[2], KEYS[3]
local count = (#ARGV - 1) / 2
local ids = {}
for i = 1, count do ids[i] = ARGV[2 * i] end

local known = {}
local found = redis.call('HMGET', jobs, unpack(ids))
for i = 1, count do
  if found[i] then known[#known + 1] = i - 1 end
end
if #known == count then return known end

local idle = not is_waiting(ready, lanes)
if #known == 0 then
  redis.call('HSET', jobs, unpack(ARGV, 2))
  append(ready, lanes, ids)
else
  local new = {}
  for i = 1, count do
    if not found[i] then
      redis.call('HSET', jobs, ids[i], ARGV[2 * i + 1])
      new[#new + 1] = ids[i]
    end
  end
  append(ready, lanes, new)
end
-- Workers of a queue that was not empty are fetching already, or busy.
if idle then redis.call('PUBLISH', ARGV[1], '') end
return known
