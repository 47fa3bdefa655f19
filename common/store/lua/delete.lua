-- ARGV: id. A running attempt finds its record gone and closes its call.
leave_indexes(ARGV[1])
redis.call('ZREM', WEBHOOKS, ARGV[1])
local deleted = redis.call('DEL', JOB, EVENTS)
redis.call('PUBLISH', 'muninn:ended', ARGV[1])
return deleted
