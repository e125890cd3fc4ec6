-- Takes from all limits of a call, or from none of them. The arithmetic is that of `sluice_abi::Counter`, in
-- whole microseconds. Lua has doubles only, so every number stays below 2^53 and products that would not go
-- through `muldiv`.
--
-- KEYS: of each take one; of a concurrency take two (who holds until when, and how much each holds).
-- ARGV: now in microseconds, or '' for the server's clock; then of each take seven:
--   algorithm (g, s, f, c), quota and window in microseconds (both below 2^51), cost,
--   mode (0 try, 1 force, 2 give back), holder, units to buy beside the cost if there are any.
-- Returns of each take five numbers: allowed, remaining, reset and retry in milliseconds (-1: never), bought.

local floor, fmod, max, min = math.floor, math.fmod, math.max, math.min
local EXACT, MOST, SKEW = 2 ^ 53, 2 ^ 51 - 1, 10000000

local now, pad = tonumber(ARGV[1]), 0
if now then
  -- Time is an argument: it does not pass as the server's does, by which keys expire.
  pad = 600000
else
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local function whole(number)
  return string.format('%.0f', number)
end

-- a * b / c rounded down, and the rest; c below 2^51.
local function muldiv(a, b, c)
  local product = a * b
  if product < EXACT then
    local rest = fmod(product, c)
    return (product - rest) / c, rest
  end
  -- Long multiplication, digit by digit of b, such that digit * c fits.
  local rest_a = fmod(a, c)
  local quotient, rest = 0, 0
  local _, bits = math.frexp(c)
  local base = 2 ^ min(52 - bits, 26)
  local place = 1
  while place * base <= b do
    place = place * base
  end
  local left = b
  while place >= 1 do
    local digit = floor(left / place)
    left = left - digit * place
    local sum = rest * base + rest_a * digit
    rest = fmod(sum, c)
    quotient = quotient * base + (sum - rest) / c
    place = place / base
  end
  return (a - rest_a) / c * b + quotient, rest
end

local function up(quotient, rest)
  return rest > 0 and quotient + 1 or quotient
end

local function to_ms(us)
  return up(muldiv(us, 1, 1000))
end

-- How many windows have passed since `born`, and how far into the last of them it is. Clocks lag a little;
-- one that was set back makes the state void.
local function windows(born, window)
  if born - now > max(window, SKEW) then
    return nil, 0
  end
  local since = max(0, now - born)
  local elapsed = fmod(since, window)
  return (since - elapsed) / window, elapsed
end

local function save(take, state, ms)
  redis.call('SET', take.key, state, 'PX', whole(max(1, ms) + pad))
end

local gcra = {}

function gcra.load(take)
  local per_unit = max(1, floor(take.window / take.quota))
  local s = { per_unit = per_unit, per_window = per_unit * take.quota, born = now, tick = 0, level = 0 }
  local value = redis.call('GET', take.key)
  if value then
    s.known = true
    local born, empty_at = string.match(value, '^(%d+) (%d+)$')
    born, empty_at = tonumber(born), tonumber(empty_at)
    local passed, elapsed = windows(born, take.window)
    if passed then
      -- Begun anew at a whole window, so that ticks stay small: none is rounded by that.
      s.born = born + passed * take.window
      s.tick = muldiv(elapsed, s.per_window, take.window)
      s.level = max(0, max(0, empty_at - passed * s.per_window) - s.tick)
    end
  end
  return s
end

local function gcra_ms(take, s, ticks)
  return up(muldiv(ticks, take.window / 1000, s.per_window))
end

function gcra.room(take, s)
  return floor(max(0, s.per_window - s.level) / s.per_unit)
end

function gcra.fits(take, s)
  return s.level + take.cost * s.per_unit <= s.per_window
end

function gcra.wait(take, s)
  return gcra_ms(take, s, s.level + take.cost * s.per_unit - s.per_window)
end

function gcra.add(take, s, units)
  s.level = min(2 ^ 52, max(0, s.level + units * s.per_unit))
end

function gcra.reset(take, s)
  return gcra_ms(take, s, s.level)
end

function gcra.save(take, s)
  save(take, whole(s.born) .. ' ' .. whole(s.tick + s.level), gcra_ms(take, s, s.level))
end

local sliding = {}

function sliding.load(take)
  local s = { born = now, elapsed = 0, current = 0, previous = 0 }
  local value = redis.call('GET', take.key)
  if value then
    s.known = true
    local born, current, previous = string.match(value, '^(%d+) (%d+) (%d+)$')
    born = tonumber(born)
    local passed, elapsed = windows(born, take.window)
    if passed then
      s.born, s.elapsed = born + passed * take.window, elapsed
      if passed == 0 then
        s.current, s.previous = tonumber(current), tonumber(previous)
      elseif passed == 1 then
        s.previous = tonumber(current)
      end
    end
  end
  return s
end

local function sliding_used(take, s)
  return s.current + up(muldiv(s.previous, take.window - s.elapsed, take.window))
end

function sliding.room(take, s)
  return max(0, take.quota - sliding_used(take, s))
end

function sliding.fits(take, s)
  return sliding_used(take, s) + take.cost <= take.quota
end

function sliding.wait(take, s)
  -- At which part of a window the one before it weighs no more than `room`.
  local function when(weight, room)
    if weight <= room then
      return 0
    end
    return take.window - (muldiv(room, take.window, weight))
  end
  local room = take.quota - s.current - take.cost
  if room >= 0 then
    return to_ms(max(0, when(s.previous, room) - s.elapsed))
  end
  return to_ms(take.window - s.elapsed + when(s.current, take.quota - take.cost))
end

function sliding.add(take, s, units)
  s.current = min(MOST, max(0, s.current + units))
end

function sliding.reset(take, s)
  local rest = take.window - s.elapsed
  if s.current > 0 then
    return to_ms(rest + take.window)
  end
  return s.previous > 0 and to_ms(rest) or 0
end

function sliding.save(take, s)
  local state = whole(s.born) .. ' ' .. whole(s.current) .. ' ' .. whole(s.previous)
  save(take, state, sliding.reset(take, s))
end

local fixed = {}

function fixed.load(take)
  local s = { start = now - fmod(now, take.window), count = 0 }
  local value = redis.call('GET', take.key)
  if value then
    s.known = true
    local start, count = string.match(value, '^(%d+) (%d+)$')
    start = tonumber(start)
    if start >= s.start and start - s.start <= max(take.window, SKEW) then
      s.start, s.count = start, tonumber(count)
    end
  end
  return s
end

function fixed.room(take, s)
  return max(0, take.quota - s.count)
end

function fixed.fits(take, s)
  return s.count + take.cost <= take.quota
end

function fixed.wait(take, s)
  return to_ms(s.start + take.window - now)
end

function fixed.add(take, s, units)
  s.count = min(MOST, max(0, s.count + units))
end

function fixed.reset(take, s)
  return s.count > 0 and fixed.wait(take, s) or 0
end

function fixed.save(take, s)
  save(take, whole(s.start) .. ' ' .. whole(s.count), fixed.wait(take, s))
end

local concurrency = {}

local function units_of(take, member)
  return tonumber(redis.call('HGET', take.units, member) or 0)
end

local function drop(take, member)
  local units = units_of(take, member)
  redis.call('ZREM', take.key, member)
  redis.call('HDEL', take.units, member)
  return units
end

local function save_total(take, total)
  if total == 0 then
    redis.call('DEL', take.key, take.units)
  else
    redis.call('HSET', take.units, 't', whole(total))
  end
end

function concurrency.load(take)
  local gone = 0
  repeat
    local over = redis.call('ZRANGEBYSCORE', take.key, '-inf', whole(now), 'LIMIT', 0, 100)
    for _, member in ipairs(over) do
      gone = gone + drop(take, member)
    end
  until #over < 100
  local total = 0
  if redis.call('EXISTS', take.key) == 1 then
    total = max(0, units_of(take, 't') - gone)
  end
  if gone > 0 then
    save_total(take, total)
  end
  return { known = true, total = total, took = {}, gone = {} }
end

-- One that holds already takes nothing more. Who has no name cannot be known again.
local function holds(take, s)
  if take.holder == '' or s.gone[take.holder] then
    return false
  end
  return s.took[take.holder] or redis.call('ZSCORE', take.key, 'h' .. take.holder)
end

function concurrency.room(take, s)
  return max(0, take.quota - s.total)
end

function concurrency.fits(take, s)
  return s.total + take.cost <= take.quota or holds(take, s)
end

-- Until enough of what ends first has ended.
function concurrency.wait(take, s)
  local excess, from = s.total + take.cost - take.quota, 0
  repeat
    local first = redis.call('ZRANGE', take.key, from, from + 99, 'WITHSCORES')
    for i = 1, #first, 2 do
      excess = excess - units_of(take, first[i])
      if excess <= 0 then
        return to_ms(max(0, tonumber(first[i + 1]) - now))
      end
    end
    from = from + 100
  until #first < 200
  return to_ms(take.window)
end

function concurrency.add(take, s, units)
  if not holds(take, s) then
    units = min(units, MOST - s.total)
    s.total = s.total + units
    -- Of those without a name as many as there are takes.
    local holder = take.holder
    if holder == '' then
      s.nameless = s.nameless or {}
      table.insert(s.nameless, units)
    else
      s.took[holder] = units
    end
    s.last = true
  end
end

function concurrency.give_back(take, s)
  if holds(take, s) then
    s.total = max(0, s.total - (s.took[take.holder] or units_of(take, 'h' .. take.holder)))
    s.took[take.holder] = nil
    s.gone[take.holder] = true
  end
end

function concurrency.reset(take, s)
  if s.total == 0 then
    return 0
  end
  if s.last then
    return to_ms(take.window)
  end
  local last = redis.call('ZREVRANGE', take.key, 0, 1, 'WITHSCORES')
  for i = 1, #last, 2 do
    if not s.gone[string.sub(last[i], 2)] then
      return to_ms(max(0, tonumber(last[i + 1]) - now))
    end
  end
  return to_ms(take.window)
end

function concurrency.save(take, s)
  for holder in pairs(s.gone) do
    drop(take, 'h' .. holder)
  end
  local function put(member, units)
    redis.call('ZADD', take.key, whole(now + take.window), member)
    redis.call('HSET', take.units, member, whole(units))
  end
  for holder, units in pairs(s.took) do
    put('h' .. holder, units)
  end
  for _, units in ipairs(s.nameless or {}) do
    put('n' .. redis.call('HINCRBY', take.units, 'n', 1), units)
  end
  save_total(take, s.total)
  if s.last then
    local life = whole(take.window / 1000 + pad)
    redis.call('PEXPIRE', take.key, life)
    redis.call('PEXPIRE', take.units, life)
  end
end

local algorithms = { g = gcra, s = sliding, f = fixed, c = concurrency }

local takes, states, key = {}, {}, 1
for i = 2, #ARGV, 7 do
  local take = {
    algorithm = algorithms[ARGV[i]],
    quota = tonumber(ARGV[i + 1]),
    window = tonumber(ARGV[i + 2]),
    cost = tonumber(ARGV[i + 3]),
    mode = ARGV[i + 4],
    holder = ARGV[i + 5],
    extra = tonumber(ARGV[i + 6]),
    key = KEYS[key],
  }
  key = key + 1
  if take.algorithm == concurrency then
    take.units = KEYS[key]
    key = key + 1
  end
  -- Two takes of one limit share its state.
  if not states[take.key] then
    states[take.key] = { take = take, state = take.algorithm.load(take) }
  end
  take.entry = states[take.key]
  table.insert(takes, take)
end

local function look(take)
  local a, s = take.algorithm, take.entry.state
  local allowed, retry = 1, 0
  if take.mode == '0' then
    if take.cost > take.quota then
      allowed, retry = 0, -1
    elseif not a.fits(take, s) then
      allowed, retry = 0, a.wait(take, s)
    end
  end
  return { allowed, a.room(take, s), a.reset(take, s), retry, 0 }
end

local function flat(answers)
  local reply = {}
  for _, answer in ipairs(answers) do
    for _, number in ipairs(answer) do
      table.insert(reply, number)
    end
  end
  return reply
end

local looks, all = {}, true
for i, take in ipairs(takes) do
  looks[i] = look(take)
  all = all and looks[i][1] == 1
end
if not all then
  return flat(looks)
end

local answers = {}
for i, take in ipairs(takes) do
  if take.mode ~= '2' then
    local a, s = take.algorithm, take.entry.state
    local answer = look(take)
    if answer[1] == 0 then
      -- A limit that is named twice has less than both want.
      looks[i] = answer
      return flat(looks)
    end
    local bought = 0
    if take.extra > 0 then
      bought = min(take.extra, max(0, a.room(take, s) - take.cost))
    end
    if take.cost + bought > 0 then
      take.entry.changed = true
      a.add(take, s, take.cost + bought)
      -- From now on, for the next take of this limit.
      s.known = true
    end
    answers[i] = { 1, a.room(take, s), a.reset(take, s), 0, bought }
  end
end
-- What is given back comes last: within a call it is not there to be taken.
for i, take in ipairs(takes) do
  if take.mode == '2' then
    local a, s = take.algorithm, take.entry.state
    -- Where nothing is known there is nothing to give back.
    if s.known then
      take.entry.changed = true
      if a.give_back then
        a.give_back(take, s)
      else
        a.add(take, s, -take.cost)
      end
    end
    answers[i] = { 1, a.room(take, s), a.reset(take, s), 0, 0 }
  end
end
for _, entry in pairs(states) do
  if entry.changed then
    entry.take.algorithm.save(entry.take, entry.state)
  end
end
return flat(answers)
