-- ARGV: id, keep_input_bytes, message. The status afterwards, or false for a job that is not there; in a list
-- when this call has ended it.
local status = redis.call('HGET', JOB, 'status')
if not status or TERMINAL[status] then return status end
if redis.call('ZSCORE', HELD, ARGV[1]) or redis.call('ZSCORE', PARKED, ARGV[1]) then
  tell_upstream(ARGV[3])
end
redis.call('HSET', JOB, 'attempts', redis.call('HGET', JOB, 'attempt'))
end_job(ARGV[1], 'cancelled', now_ms(), ARGV[2])
return { 'cancelled' }
