-- Tells a breaker what came of requests.
-- KEYS: breaker, view, version. ARGV: endpoint, successes, failures, 1 when they are those of a probe, ms that a breaker
-- stays open, failures in a hundred that open it, successful probes that close it, fewest requests that count, window in ms.
-- Answers {state (0 closed, 1 open, 2 half-open), until, trips in a row, failures in the window}.
local good, bad, is_probe = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == '1'
local pause, percent, probes, least, window = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])

local function open(trips)
  local till = now + pause
  redis.call('DEL', breaker)
  redis.call('HSET', breaker, 'state', 'open', 'until', till, 'trips', trips)
  -- Long after it could have been probed, nobody remembers why it is open.
  redis.call('PEXPIRE', breaker, pause + window + 86400000)
  publish('open', till)
  return {1, till, trips, bad}
end

local known = redis.call('HMGET', breaker, 'state', 'until', 'trips', 'passed')
if known[1] then
  local till, trips = tonumber(known[2]), tonumber(known[3])
  -- What was sent before it opened says nothing new.
  if not is_probe then return {known[1] == 'open' and 1 or 2, till, trips, bad} end
  if bad > 0 then return open(trips + 1) end
  redis.call('HDEL', breaker, 'probing')
  if good > 0 and redis.call('HINCRBY', breaker, 'passed', good) >= probes then
    close()
    return {0, 0, 0, 0}
  end
  return {2, till, trips, bad}
end

local tenth = math.floor(now / math.max(1, window / 10))
if good > 0 then redis.call('HINCRBY', breaker, 's' .. tenth, good) end
if bad > 0 then redis.call('HINCRBY', breaker, 'f' .. tenth, bad) end
redis.call('PEXPIRE', breaker, math.ceil(window * 1.1) + 1)
local all, failed = 0, 0
local counts = redis.call('HGETALL', breaker)
for i = 1, #counts, 2 do
  local kind, number = string.sub(counts[i], 1, 1), tonumber(string.sub(counts[i], 2))
  if number <= tenth - 10 then
    redis.call('HDEL', breaker, counts[i])
  else
    all = all + counts[i + 1]
    if kind == 'f' then failed = failed + counts[i + 1] end
  end
end
if failed > 0 and all >= least and failed * 100 >= percent * all then return open(1) end
return {0, 0, 0, failed}
