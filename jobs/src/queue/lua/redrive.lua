-- Gives dead letters another life, with no tries behind them.
-- KEYS: dead, dead_jobs, dead_reasons, jobs, ready, lanes. ARGV: wake channel, then ids, at most 500.
-- Answers for each id: 1 it is ready, 0 there is no such letter, 2 a job with its id lives and the letter stays.
local dead, dead_jobs, dead_reasons, jobs, ready, lanes = unpack(KEYS)
local answers = {}
for i = 2, #ARGV do
  local id = ARGV[i]
  local frame = redis.call('HGET', dead_jobs, id)
  if not frame then
    answers[#answers + 1] = 0
  elseif redis.call('HSETNX', jobs, id, frame) == 0 then
    answers[#answers + 1] = 2
  else
    append(ready, lanes, { id })
    redis.call('ZREM', dead, id)
    redis.call('HDEL', dead_jobs, id)
    redis.call('HDEL', dead_reasons, id)
    answers[#answers + 1] = 1
  end
end
redis.call('PUBLISH', ARGV[1], '')
return answers
