-- ARGV: id, keep_input_bytes. The status afterwards, or false for a job that is not there; in a list
-- when this call has ended it.
local status = redis.call('HGET', JOB, 'status')
if not status or TERMINAL[status] then return status end
-- One whose provider works on it while it waits for a place: its message brings a worker who says so.
local kept = redis.call('HMGET', JOB, 'upstream_id', 'held_message')
if kept[1] and kept[2] and redis.call('ZSCORE', HELD, ARGV[1]) then push(kept[2]) end
redis.call('HSET', JOB, 'attempts', redis.call('HGET', JOB, 'attempt'))
end_job(ARGV[1], 'cancelled', now_ms(), ARGV[2])
return { 'cancelled' }
