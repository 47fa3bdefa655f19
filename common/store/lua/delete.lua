-- ARGV: id. A running attempt finds its record gone and closes its call.
local held = redis.call('HMGET', JOB, 'status', 'streamed', 'ttl_seconds')
local now = now_ms()
leave_indexes(ARGV[1])
leave_gates(ARGV[1], now)
if held[1] and not TERMINAL[held[1]] then
  count_end(now, 'cancelled')
  leave_batch(now, held[3] * 1000)
end
redis.call('ZREM', WEBHOOKS, ARGV[1])
local deleted = redis.call('DEL', JOB, EVENTS)
if held[2] == '1' and not TERMINAL[held[1]] then
  -- Those who wait for its next event are not woken by its end otherwise.
  redis.call('XADD', EVENTS, '1-0', 'end', 'deleted')
  redis.call('PEXPIRE', EVENTS, 10000)
end
redis.call('PUBLISH', 'muninn:ended', ARGV[1])
return deleted
