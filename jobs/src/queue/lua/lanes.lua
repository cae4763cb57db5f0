-- Fair turns. An id `lane|rest` waits in the list of its lane, any other in the plain list. `lanes` names each lane that
-- has ids, once, the next to be served first. The lists of lanes share the hash tag of the plain one.
local function lane_of(id) return string.match(id, '^([^|]*)|') or '' end

local function list_of(ready, lane)
  if lane == '' then return ready end
  return ready .. ':' .. lane
end

-- Whether anything may run.
local function is_waiting(ready, lanes) return redis.call('EXISTS', ready, lanes) > 0 end

-- Appends ids, in their order. Late ones, whose time came after a delay, wait apart from the others of their lane.
local function append(ready, lanes, ids, late)
  local from, current = 1, nil
  for i = 1, #ids + 1 do
    local lane = ids[i] and lane_of(ids[i]) .. (late and '~' or '')
    if lane ~= current then
      if current then
        local length = redis.call('RPUSH', list_of(ready, current), unpack(ids, from, i - 1))
        if current ~= '' and length == i - from then redis.call('RPUSH', lanes, current) end
      end
      from, current = i, lane
    end
  end
end

-- Puts an id before all others of its lane.
local function give_back(ready, lanes, id)
  local lane = lane_of(id)
  if redis.call('LPUSH', list_of(ready, lane), id) == 1 and lane ~= '' then redis.call('LPUSH', lanes, lane) end
end
