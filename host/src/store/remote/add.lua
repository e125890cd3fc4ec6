-- Adds to a counter, held at the ends of 64 bits; nothing if the value is not a number.
--
-- KEYS: the counter. ARGV: what to add, and the milliseconds that a new counter lives.

local key, delta, life = KEYS[1], ARGV[1], ARGV[2]
local value = redis.call('GET', key)
if not value then
  redis.call('SET', key, delta, 'PX', life)
  return delta
end
local function add()
  local sum = redis.pcall('INCRBY', key, delta)
  if type(sum) == 'number' then
    -- Lua would round it.
    return redis.call('GET', key)
  end
  if string.find(sum.err, 'overflow', 1, true) then
    local edge = string.sub(delta, 1, 1) == '-' and '-9223372036854775808' or '9223372036854775807'
    redis.call('SET', key, edge, 'KEEPTTL')
    return edge
  end
  return nil, sum.err
end
local sum, err = add()
if sum then
  return sum
end
if not string.find(err, 'not an integer', 1, true) then
  return redis.error_reply(err)
end
-- Redis reads only its own way of writing numbers; "+7" and "007" are numbers all the same.
local sign, digits = string.match(value, '^([+-]?)0*(%d+)$')
if not sign or #digits > 19 then
  return false
end
local plain = (sign == '-' and digits ~= '0' and '-' or '') .. digits
if plain == value then
  return false
end
redis.call('SET', key, plain, 'KEEPTTL')
sum = add()
if not sum then
  redis.call('SET', key, value, 'KEEPTTL')
  return false
end
return sum
