-- ARGV: id, submission. Takes back the job of one failed submit, and of no other with its id.
if redis.call('HGET', JOB, 'submission') ~= ARGV[2] then return 0 end
leave_indexes(ARGV[1])
leave_gates(ARGV[1], now_ms())
redis.call('ZREM', WEBHOOKS, ARGV[1])
return redis.call('DEL', JOB, EVENTS)
