-- Asks a breaker that is not closed whether a request may try the endpoint.
-- KEYS: breaker, view, version. ARGV: endpoint, ms until somebody else may try when nobody hears of this one.
-- Answers {0 the breaker is closed, 1 this request is the probe, 2 no; until when in ms}.
local known = redis.call('HMGET', breaker, 'state', 'until', 'probing')
if not known[1] then
  close()
  return {0, 0}
end
local till = tonumber(known[2])
if till > now then return {2, till} end
if tonumber(known[3] or '0') > now then return {2, now} end
redis.call('HSET', breaker, 'state', 'half-open', 'probing', now + tonumber(ARGV[2]))
if known[1] == 'open' then publish('half-open', till) end
return {1, 0}
