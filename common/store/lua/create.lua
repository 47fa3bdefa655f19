-- ARGV: id, message, max_queued, accept_until_ms ('' for no limit), the keys of the owner's jobs and
-- of those of all owners ('' for jobs without one), both in the same hash slot, how long (ms) a job
-- can live at most, the newest bounds of gates ('gate bound' each, with '-' for none), then the
-- record's fields.
-- Record, index and message come to be together or not at all.
local CLOCK_SLACK_MS = 5000

local function given(name)
  for i = 9, #ARGV, 2 do
    if ARGV[i] == name then return ARGV[i + 1] end
  end
end

local id, message, max_queued, accept_until = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local now = now_ms()
local known = redis.call('HMGET', JOB, 'fingerprint', 'submission')
if known[2] then
  -- Another submit of the same: its caller is told of this job, so the first may not take it back.
  if known[1] == given('fingerprint') and known[2] ~= given('submission') then
    redis.call('HSET', JOB, 'submission', '')
  end
  return { 'exists', now, known[1], known[2] }
end
-- The caller has long been told 503: a command that sat in a frozen server's socket is void.
if accept_until ~= '' and now > tonumber(accept_until) then return { 'late', now } end
if redis.call('ZCARD', QUEUED) + redis.call('ZCARD', PARKED) + redis.call('ZCARD', HELD) >= max_queued then
  return { 'full', now }
end
redis.call('DEL', EVENTS) -- of a job that had this id and was deleted
redis.call('HSET', JOB, 'status', 'queued', 'attempt', 0, unpack(ARGV, 9))
-- Deadlines are told by the store's clock. A front's is shown as long as it may be right.
if math.abs(now - given('created_at')) > CLOCK_SLACK_MS then
  redis.call('HSET', JOB, 'created_at', now)
end
count_minute(now, 'submitted')
local longest_life_ms = tonumber(ARGV[7])
for gate, bound in string.gmatch(ARGV[8], '(%S+) (%S+)') do
  local key = gate .. ':bound'
  local before = redis.call('GET', key)
  if bound ~= '-' then
    redis.call('SET', key, bound, 'PX', longest_life_ms)
  elseif before then
    redis.call('DEL', key)
  end
  if before and (bound == '-' or tonumber(bound) > tonumber(before)) then admit_waiting(gate, now) end
end
if ARGV[6] == '' and ARGV[8] == '' then
  redis.call('ZADD', QUEUED, now, id)
  push(message)
else
  place(id, read_job(JOB), message, now)
end
for i = 5, 6 do
  if ARGV[i] ~= '' then
    redis.call('ZADD', ARGV[i], now, id)
    redis.call('ZREMRANGEBYSCORE', ARGV[i], '-inf', now - longest_life_ms)
    redis.call('PEXPIRE', ARGV[i], longest_life_ms)
  end
end
return { 'created', now }
