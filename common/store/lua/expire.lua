-- ARGV: id, error, keep_input_bytes, due_before_ms, message. A job that has waited too long fails.
local id = ARGV[1]
local score = redis.call('ZSCORE', QUEUED, id) or redis.call('ZSCORE', HELD, id)
if not score or tonumber(score) > tonumber(ARGV[4]) then return 'held' end
if redis.call('HGET', JOB, 'status') ~= 'queued' then
  redis.call('ZREM', QUEUED, id)
  redis.call('ZREM', HELD, id)
  return 'gone'
end
redis.call('HSET', JOB, 'error', ARGV[2], 'attempts', redis.call('HGET', JOB, 'attempt'))
tell_upstream(ARGV[5])
end_job(id, 'failed', now_ms(), ARGV[3])
return 'failed'
