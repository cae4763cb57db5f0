-- Enqueues jobs for a time. A job whose id lives already is left as it is.
-- KEYS: jobs, delayed. ARGV: wake channel, then id, frame and due time (ms) of each job, at most 500.
-- Answers the positions (from 0) of the jobs that were not new.
local jobs, delayed = KEYS[1], KEYS[2]
local head = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
local earliest = head[2] and tonumber(head[2]) or math.huge
local wake = false
local known = {}
for i = 1, (#ARGV - 1) / 3 do
  local id, frame, due = ARGV[3 * i - 1], ARGV[3 * i], ARGV[3 * i + 1]
  if redis.call('HSETNX', jobs, id, frame) == 1 then
    redis.call('ZADD', delayed, due, id)
    if tonumber(due) < earliest then wake = true end
  else
    known[#known + 1] = i - 1
  end
end
-- Workers sleep until the earliest time they know of.
if wake then redis.call('PUBLISH', ARGV[1], '') end
return known
