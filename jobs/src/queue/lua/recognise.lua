-- Under which id a message was noted that its broker sends again.
-- KEYS: new, old (names to ids: what was noted last, and what before that).
-- ARGV: names after which the new ones become the old ones, ms for which they are kept, then name, id, and 1 where its broker
-- says that it never sent it before, for each message.
-- Answers position (from 0) and id of each that was noted before; all others are noted now.
local new, old = KEYS[1], KEYS[2]
local names = {}
for at = 3, #ARGV, 3 do names[#names + 1] = ARGV[at] end

local ids = {}
for _, key in ipairs({ old, new }) do
  local known = redis.call('HMGET', key, unpack(names))
  for at = 1, #names do
    if known[at] then ids[names[at]] = known[at] end
  end
end

local answer, noted = {}, {}
for at = 3, #ARGV, 3 do
  local name, id, is_first = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local known = ids[name]
  if known and is_first ~= '1' then
    id = known
    answer[#answer + 1] = (at - 3) / 3
    answer[#answer + 1] = id
  end
  ids[name] = id
  noted[#noted + 1] = name
  noted[#noted + 1] = id
end
redis.call('HSET', new, unpack(noted))
redis.call('PEXPIRE', new, ARGV[2])
if redis.call('HLEN', new) >= tonumber(ARGV[1]) then redis.call('RENAME', new, old) end
return answer
