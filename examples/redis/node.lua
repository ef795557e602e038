-- What a node does in one step. ARGV: an operation, a keyspace, and what that takes.
--
-- Values are under cairn:value:KEYSPACE:KEY. The hash cairn:guards:KEYSPACE has a guard
-- for each range of placement keys that has ever moved, by its bounds in hexadecimal,
-- START-END. For the time of a move, the hash cairn:changed:MOVE has the keys that were
-- written, each with a number that grows, and cairn:keys:MOVE the nodes that each key
-- goes to.
--
-- A guard: epoch and revision of the last call of the mover, the claim that is its own,
-- the run of the mover that it belongs to, and the move; writes of epochs below least
-- are refused, all while it is closed or has a fence; notes tells to note keys.

local operation, keyspace = ARGV[1], ARGV[2]
local guarded = 'cairn:guards:' .. keyspace

local function value(key) return 'cairn:value:' .. keyspace .. ':' .. key end

local function refuse(code, text) return redis.error_reply(code .. ' ' .. text) end

local function bounds(range) return string.match(range, '^(%x*)-(%x*)$') end

local function overlap(a, b)
  local a1, a2 = bounds(a)
  local b1, b2 = bounds(b)
  return (a2 == '' or b1 < a2) and (b2 == '' or a1 < b2)
end

local function covers(outer, inner)
  local a1, a2 = bounds(outer)
  local b1, b2 = bounds(inner)
  return a1 <= b1 and (a2 == '' or (b2 ~= '' and b2 <= a2))
end

local function each_guard(visit)
  local flat = redis.call('HGETALL', guarded)
  for i = 1, #flat, 2 do
    visit(flat[i], cjson.decode(flat[i + 1]))
  end
end

-- What is the same on both sides whatever way a node keeps a value.
local function digest(key)
  local kind, flat = redis.call('TYPE', key).ok, nil
  if kind == 'string' then flat = { redis.call('GET', key) }
  elseif kind == 'list' then flat = redis.call('LRANGE', key, 0, -1)
  elseif kind == 'zset' then flat = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  elseif kind == 'set' then flat = redis.call('SMEMBERS', key); table.sort(flat)
  elseif kind == 'hash' then
    local fields = redis.call('HKEYS', key)
    table.sort(fields)
    flat = {}
    for _, field in ipairs(fields) do
      flat[#flat + 1] = field
      flat[#flat + 1] = redis.call('HGET', key, field)
    end
  elseif kind == 'none' then return ''
  else flat = { redis.call('DUMP', key) } end
  for i, part in ipairs(flat) do flat[i] = #part .. ':' .. part end
  return redis.sha1hex(kind .. table.concat(flat))
end

-- Those who read and write: placement key, epoch, key, and the value.
if operation == 'write' or operation == 'read' then
  local placement, epoch, key = ARGV[3], tonumber(ARGV[4]), ARGV[5]
  local refusal, notes = nil, {}
  each_guard(function(range, guard)
    if not overlap(range, placement .. '-' .. placement .. '0') then return end
    if guard.closed then
      refusal = refuse('CAIRNCLOSED', 'the key is about to come here')
    elseif epoch < guard.least then
      refusal = refuse('CAIRNEPOCH', 'the key is of epoch ' .. guard.least .. ' or later by now; locate it again')
    elseif guard.fence > 0 and operation == 'write' then
      refusal = refuse('CAIRNFENCED', 'the key is about to leave')
    end
    if guard.notes then notes[#notes + 1] = guard.move end
  end)
  if refusal then return refusal end
  if operation == 'read' then return redis.call('GET', value(key)) end
  for _, move in ipairs(notes) do
    redis.call('HSET', 'cairn:changed:' .. move, key, redis.call('INCR', 'cairn:clock'))
  end
  return redis.call('SET', value(key), ARGV[6])
end

-- The mover: a range and its claim on it.
local range, claim = ARGV[3], ARGV[4]

if operation == 'claim' then
  local move, epoch, revision = ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
  local own, late, others = nil, false, {}
  each_guard(function(at, guard)
    if not overlap(at, range) then return end
    late = late or guard.epoch > epoch or (guard.epoch == epoch and guard.revision > revision)
    if at == range then own = guard else others[at] = guard end
  end)
  if late then return refuse('CAIRNLATE', 'there was a later call') end
  local before = {}
  for at, guard in pairs(others) do
    guard.claim = claim
    if guard.move ~= move then before[#before + 1] = guard.move end
    redis.call('HSET', guarded, at, cjson.encode(guard))
  end
  own = own or { least = 0, closed = false, fence = 0, notes = false, run = '', move = move }
  if own.move ~= move then before[#before + 1] = own.move end
  own.claim, own.epoch, own.revision = claim, epoch, revision
  redis.call('HSET', guarded, range, cjson.encode(own))
  return { own.run, tostring(own.fence), unpack(before) }
end

local stored = redis.call('HGET', guarded, range)
local own = stored and cjson.decode(stored)
if not own or own.claim ~= claim then return refuse('CAIRNLATE', 'there was a later call') end

-- guard: what becomes of the guard. With `sole` those within its range go.
if operation == 'guard' then
  local patch = cjson.decode(ARGV[5])
  if patch.sole then
    each_guard(function(at)
      if at ~= range and covers(range, at) then redis.call('HDEL', guarded, at) end
    end)
  end
  patch.sole = nil
  for field, to in pairs(patch) do own[field] = to end
  return redis.call('HSET', guarded, range, cjson.encode(own))
end

-- dump: of each key its value, how long it lives, and the number of its last change.
if operation == 'dump' then
  local out = {}
  for i = 6, #ARGV do
    local key = value(ARGV[i])
    out[#out + 1] = redis.call('DUMP', key) or ''
    out[#out + 1] = tostring(math.max(0, redis.call('PTTL', key)))
    out[#out + 1] = redis.call('HGET', 'cairn:changed:' .. ARGV[5], ARGV[i]) or ''
  end
  return out
end

-- put: keys, what dump has of them, and how long they live. bring: a move, and the same,
-- but nothing of keys that were written here since the move began.
if operation == 'put' or operation == 'bring' then
  local first, changed = 5, nil
  if operation == 'bring' then first, changed = 6, 'cairn:changed:' .. ARGV[5] end
  for i = first, #ARGV, 3 do
    if changed and redis.call('HEXISTS', changed, ARGV[i]) == 1 then
    elseif ARGV[i + 1] == '' then
      redis.call('DEL', value(ARGV[i]))
    else
      redis.call('RESTORE', value(ARGV[i]), ARGV[i + 2], ARGV[i + 1], 'REPLACE')
    end
  end
  return 0
end

-- copied: keys with their numbers; what has not changed since is no longer noted.
if operation == 'copied' then
  local changed = 'cairn:changed:' .. ARGV[5]
  for i = 6, #ARGV, 2 do
    if redis.call('HGET', changed, ARGV[i]) == ARGV[i + 1] then redis.call('HDEL', changed, ARGV[i]) end
  end
  return 0
end

-- place: keys and the nodes that they go to; '' for one that does not leave from here.
-- Returns those that were to go to others, with these.
if operation == 'place' then
  local keys, otherwise = 'cairn:keys:' .. ARGV[5], {}
  for i = 6, #ARGV, 2 do
    local before = redis.call('HGET', keys, ARGV[i])
    if before and before ~= ARGV[i + 1] then
      otherwise[#otherwise + 1] = ARGV[i]
      otherwise[#otherwise + 1] = before
    end
    if ARGV[i + 1] == '' then
      redis.call('HDEL', keys, ARGV[i])
    else
      redis.call('HSET', keys, ARGV[i], ARGV[i + 1])
    end
  end
  return otherwise
end

-- changed: up to some keys that have changed, with the nodes that they go to. Whoever
-- is in no entry of the index stays noted until it is.
if operation == 'changed' then
  local out = {}
  for _, key in ipairs(redis.call('HKEYS', 'cairn:changed:' .. ARGV[5])) do
    local to = redis.call('HGET', 'cairn:keys:' .. ARGV[5], key)
    if to then
      out[#out + 1] = key
      out[#out + 1] = to
    end
    if #out >= 2 * tonumber(ARGV[6]) then break end
  end
  return out
end

-- digests: of each key.
if operation == 'digests' then
  local out = {}
  for i = 5, #ARGV do out[#out + 1] = digest(value(ARGV[i])) end
  return out
end

-- some: keys that are noted of a move, not more than one step can do.
if operation == 'some' then return redis.call('HSCAN', 'cairn:keys:' .. ARGV[5], 0, 'COUNT', 500)[2] end

-- forget: all notes of a move.
if operation == 'forget' then return redis.call('UNLINK', 'cairn:changed:' .. ARGV[5], 'cairn:keys:' .. ARGV[5]) end

return refuse('CAIRNUNKNOWN', 'there is no operation ' .. operation)
