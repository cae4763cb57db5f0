-- Names all breakers that are not closed.
-- KEYS: view, version. ARGV: the version that the caller knows.
-- Answers {version}, and when it is another one, each endpoint with its state and until when. Those of endpoints that
-- nobody has sent to for a day are forgotten.
local version = redis.call('GET', KEYS[2]) or '0'
local answer = {version}
if version == ARGV[1] then return answer end
local time = redis.call('TIME')
local now = time[1] * 1000
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if tonumber(string.match(all[i + 1], '|(%d+)$') or '0') < now - 86400000 then
    redis.call('HDEL', KEYS[1], all[i])
  else
    answer[#answer + 1], answer[#answer + 2] = all[i], all[i + 1]
  end
end
return answer
