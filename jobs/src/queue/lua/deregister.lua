-- Removes a worker that ends. Jobs still leased to it are left to the reaper, at once.
-- KEYS: workers, reaping, worker, leases. ARGV: worker name.
redis.call('ZREM', KEYS[1], ARGV[1])
if redis.call('EXISTS', KEYS[4]) == 1 then
  redis.call('SADD', KEYS[2], ARGV[1])
else
  redis.call('DEL', KEYS[3])
end
return 1
