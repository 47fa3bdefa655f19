-- ARGV: id, message, max_queued, accept_until_ms ('' for no limit), the key of the owner's jobs (in
-- the same hash slot), how long (ms) a job can live at most, then the record's fields.
-- Record, index and message come to be together or not at all.
local function given(name)
  for i = 5, #ARGV, 2 do
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
if redis.call('ZCARD', QUEUED) >= max_queued then return { 'full', now } end
redis.call('HSET', JOB, 'status', 'queued', 'attempt', 0, unpack(ARGV, 7))
redis.call('ZADD', QUEUED, now, id)
push(message)
local owners, longest_life_ms = ARGV[5], tonumber(ARGV[6])
redis.call('ZADD', owners, now, id)
redis.call('ZREMRANGEBYSCORE', owners, '-inf', now - longest_life_ms)
redis.call('PEXPIRE', owners, longest_life_ms)
return { 'created', now }
