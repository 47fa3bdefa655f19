-- ARGV: id, message, max_attempts, error, keep_input_bytes. What became of a job whose lease ran out.
local id, message = ARGV[1], ARGV[2]
local now = now_ms()
local lease = redis.call('ZSCORE', RUNNING, id)
if not lease or tonumber(lease) > now then return 'held' end
if redis.call('HGET', JOB, 'status') ~= 'in_progress' then
  redis.call('ZREM', RUNNING, id)
  return 'gone'
end
local lost = redis.call('HINCRBY', JOB, 'lost', 1)
if lost >= tonumber(ARGV[3]) then
  redis.call('HSET', JOB, 'error', ARGV[4], 'attempts', redis.call('HGET', JOB, 'attempt'))
  tell_upstream(message)
  end_job(id, 'failed', now, ARGV[5])
  return 'failed'
end
leave_gates(id, now)
enqueue(id, now, message)
return 'requeued'
