-- KEYS[1]: counter of one bucket in one window. ARGV: the bucket's limit, how many are wanted, milliseconds to keep the
-- counter. Answers how many of them are left to have.
local taken = tonumber(redis.call('GET', KEYS[1]) or '0')
local granted = math.min(tonumber(ARGV[2]), math.max(tonumber(ARGV[1]) - taken, 0))
if granted > 0 then
  redis.call('INCRBY', KEYS[1], granted)
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return granted
