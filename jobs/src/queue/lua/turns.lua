-- Takes up to `wanted` turns: never more than `count` in any stretch of `period`. Nobody is promised anything.
-- KEYS: turns (times in ms of the last turns, the newest first).
-- ARGV: count, period in ms, wanted.
-- Answers how many were taken, and where that is less than wanted, in how many ms there is another one.
local turns = KEYS[1]
local count, period, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- How many of them still count: those before this place, found by halves.
local low, high = 0, math.min(redis.call('LLEN', turns), count)
while low < high do
  local middle = math.floor((low + high) / 2)
  if tonumber(redis.call('LINDEX', turns, middle)) + period > now then low = middle + 1 else high = middle end
end
if low > 0 then redis.call('LTRIM', turns, 0, low - 1) else redis.call('DEL', turns) end

local taken = math.min(count - low, wanted)
if taken > 0 then
  local times = {}
  for at = 1, taken do times[at] = now end
  redis.call('LPUSH', turns, unpack(times))
  redis.call('PEXPIRE', turns, period)
end
if taken == wanted then return { taken, 0 } end
return { taken, math.max(1, tonumber(redis.call('LINDEX', turns, -1)) + period - now) }
