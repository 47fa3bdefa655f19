-- ARGV: id. The event is sent once more, with all attempts before it. One that is on its way, or
-- about to be, is enough.
local held = redis.call('HMGET', JOB, 'status', 'webhook', 'webhook_state')
if not held[1] then return 'gone' end
if not held[2] then return 'none' end
if not TERMINAL[held[1]] then return 'not_ended' end
if held[3] == 'enqueued' or held[3] == 'delivering' then
  redis.call('HSET', JOB, 'webhook_attempts', 0)
else
  expect_delivery(ARGV[1], JOB, now_ms())
  redis.call('PERSIST', EVENTS)
end
return 'expected'
