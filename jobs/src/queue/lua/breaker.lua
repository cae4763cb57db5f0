-- What the breakers' scripts share. A breaker is a hash of its endpoint: while closed, counts of successes (`s<n>`) and
-- failures (`f<n>`) for each tenth of the window; else `state`, `until`, `trips` in a row, `passed` probes, and until when
-- a probe is `probing`. `view` names all that are not closed, `version` grows with each change of it.
local breaker, view, version = KEYS[1], KEYS[2], KEYS[3]
local endpoint = ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function publish(state, till)
  redis.call('HSET', view, endpoint, state .. '|' .. till)
  redis.call('INCR', version)
end

local function close()
  redis.call('DEL', breaker)
  if redis.call('HDEL', view, endpoint) == 1 then redis.call('INCR', version) end
end
