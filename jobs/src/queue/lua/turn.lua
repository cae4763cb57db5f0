-- Asks for a turn: at most `count` of them in any stretch of `period`, in the order of asking.
-- KEYS: turns (times in ms of the last `count` turns, the newest first), line (the rate, and when the last promised turn is).
-- ARGV: count, period in ms, turn that was promised before in ms or 0.
-- Answers 0 when it is the caller's turn, else the time in ms at which to ask again, with that time as the promise.
local turns, line = KEYS[1], KEYS[2]
local count, period, promised = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local rate = ARGV[1] .. '/' .. ARGV[2]

local last = 0
local known = redis.call('HMGET', line, 'rate', 'last')
if known[1] == rate then
  last = tonumber(known[2])
elseif known[1] then
  -- What was promised at another rate lies beyond the end of the new line, and counts for nothing.
  redis.call('DEL', line)
end
if promised > math.ceil(last) then promised = 0 end
if promised > now then return promised end

redis.call('LTRIM', turns, 0, count - 1)
local free = now
if redis.call('LLEN', turns) >= count then
  free = math.max(now, tonumber(redis.call('LINDEX', turns, -1)) + period)
end
-- Whoever comes anew stands behind those who were promised a turn.
if free <= now and (promised > 0 or last <= now) then
  redis.call('LPUSH', turns, now)
  redis.call('PEXPIRE', turns, period)
  return 0
end
local turn = free
if promised == 0 then turn = math.max(free, last + period / count) end
-- Thousandths, because turns may lie closer together than milliseconds.
redis.call('HSET', line, 'rate', rate, 'last', string.format('%.3f', math.max(turn, last)))
redis.call('PEXPIRE', line, math.ceil(math.max(turn, last) - now + period))
return math.ceil(turn)
