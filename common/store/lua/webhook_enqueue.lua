-- ARGV: id, lease_ms, lost_before_ms, message. A delivery that is due gets a message. So does one
-- whose worker is gone, and one whose message was lost: sent before that time and never taken.
local id, lease_ms, lost_before, message = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local score = redis.call('ZSCORE', WEBHOOKS, id)
local now = now_ms()
if not score or tonumber(score) > now then return 'held' end
local held = redis.call('HMGET', JOB, 'webhook_state', 'webhook_enqueued_at')
if not held[1] then
  redis.call('ZREM', WEBHOOKS, id)
  return 'gone'
end
redis.call('ZADD', WEBHOOKS, now + lease_ms, id)
if held[1] == 'enqueued' and tonumber(held[2]) >= lost_before then return 'held' end
redis.call('HSET', JOB, 'webhook_state', 'enqueued', 'webhook_enqueued_at', now)
redis.call('HDEL', JOB, 'webhook_claim')
if message ~= '' then redis.call('LPUSH', WEBHOOKS_QUEUE, message) end
return 'enqueued'
