-- Ids of a page of the ready jobs, lane after lane, of at most 1,000 lanes.
-- KEYS: ready, lanes. ARGV: jobs to pass over, most ids.
local skip, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local names = redis.call('LRANGE', KEYS[2], 0, 999)
table.insert(names, 1, '')
local ids = {}
for _, lane in ipairs(names) do
  if #ids >= most then break end
  local list = list_of(KEYS[1], lane)
  local part = redis.call('LRANGE', list, skip, skip + most - #ids - 1)
  if #part == 0 then
    skip = skip - redis.call('LLEN', list)
  else
    for _, id in ipairs(part) do ids[#ids + 1] = id end
    skip = 0
  end
end
return ids
