-- ARGV: id, claim token, state (waiting, delivered or given_up), delay_ms, the status answered or
-- '', what went wrong or ''. 1 when the delivery was this claim's to settle.
local FETCH_MS = 600000 -- who is told of a result has this long to fetch it, or its own time to live
local id, state, now = ARGV[1], ARGV[3], now_ms()
local held = redis.call('HMGET', JOB, 'webhook_state', 'webhook_claim', 'expires_at', 'ttl_seconds')
if held[1] ~= 'delivering' or held[2] ~= ARGV[2] then return 0 end
redis.call('HSET', JOB, 'webhook_state', state, 'webhook_status', ARGV[5], 'webhook_error', ARGV[6])
redis.call('HDEL', JOB, 'webhook_claim', 'webhook_enqueued_at', 'webhook_next_at')
if state == 'waiting' then
  redis.call('HSET', JOB, 'webhook_next_at', now + ARGV[4])
  redis.call('ZADD', WEBHOOKS, now + ARGV[4], id)
  return 1
end
if state == 'delivered' then redis.call('HSET', JOB, 'webhook_delivered_at', now) end
redis.call('ZREM', WEBHOOKS, id)
local expires_at = math.max(held[3], now + math.min(held[4] * 1000, FETCH_MS))
redis.call('HSET', JOB, 'expires_at', expires_at)
redis.call('PEXPIREAT', JOB, expires_at)
redis.call('PEXPIREAT', EVENTS, expires_at)
return 1
