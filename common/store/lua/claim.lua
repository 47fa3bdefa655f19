-- ARGV: id, claim token, lease_ms. Queued becomes in_progress, with a new fencing number.
local id, token, lease_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])
local now = now_ms()
local held = redis.call('HMGET', JOB, 'status', 'claim')
if held[1] == 'queued' then
  leave_indexes(id)
  redis.call('HINCRBY', JOB, 'attempt', 1)
  redis.call('HSET', JOB, 'status', 'in_progress', 'claim', token)
  redis.call('HSETNX', JOB, 'started_at', now)
  redis.call('HDEL', JOB, 'next_attempt_at')
  redis.call('ZADD', RUNNING, now + lease_ms, id)
elseif held[1] ~= 'in_progress' or held[2] ~= token then
  return false
end -- else: our own claim, asked again because its answer was lost on the way
return { now, redis.call('HMGET', JOB, 'attempt', 'request', 'options', 'created_at', 'started_at',
  'failures', 'ttl_seconds', 'sequence', 'shape', 'streamed',
  'upstream_id') }
