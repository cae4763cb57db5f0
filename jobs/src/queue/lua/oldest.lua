-- How long the job that has waited longest for its turn has done so, in ms: of the heads of the first lanes, and of what is
-- due and not moved to a lane yet. What came back after a delay does not say when it was due, and is left out.
-- KEYS: jobs, ready, lanes, delayed, paused. ARGV: most lanes that are looked at (at most 500).
-- Answers {wait or 0, whether the queue is paused}.
local jobs, ready, lanes, delayed, paused = unpack(KEYS)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local oldest = now

local function look(id)
  local frame = id and redis.call('HGET', jobs, id)
  if not frame or #frame < 9 or string.byte(frame, 1) ~= 1 then return end
  local enqueued = 0
  for at = 2, 9 do enqueued = enqueued * 256 + string.byte(frame, at) end
  oldest = math.min(oldest, enqueued)
end

look(redis.call('LINDEX', ready, 0))
for _, lane in ipairs(redis.call('LRANGE', lanes, 0, ARGV[1] - 1)) do
  if string.sub(lane, -1) ~= '~' then look(redis.call('LINDEX', list_of(ready, lane), 0)) end
end
local due = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]
if due then oldest = math.min(oldest, tonumber(due)) end
return {math.max(0, now - oldest), redis.call('EXISTS', paused)}
