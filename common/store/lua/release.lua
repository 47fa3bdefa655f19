-- ARGV: id, claim token, delay_ms, message, then fields. The current attempt lets go of its job:
-- back to the queue at once, or parked until its next attempt is due.
local id, token, delay_ms, message = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
if redis.call('HGET', JOB, 'claim') ~= token then return 0 end
local now = now_ms()
leave_gates(id, now)
if #ARGV > 4 then redis.call('HSET', JOB, unpack(ARGV, 5)) end
if delay_ms <= 0 then
  enqueue(id, now, message)
else
  leave_indexes(id)
  redis.call('HSET', JOB, 'status', 'queued', 'next_attempt_at', now + delay_ms)
  redis.call('HDEL', JOB, 'claim')
  redis.call('ZADD', PARKED, now + delay_ms, id)
end
return 1
