-- ARGV: id, keep_input_bytes. The status afterwards, or false for a job that is not there.
local status = redis.call('HGET', JOB, 'status')
if not status or TERMINAL[status] then return status end
redis.call('HSET', JOB, 'attempts', redis.call('HGET', JOB, 'attempt'))
end_job(ARGV[1], 'cancelled', now_ms(), ARGV[2])
return 'cancelled'
