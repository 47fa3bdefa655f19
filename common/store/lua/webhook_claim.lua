-- ARGV: id, claim token, lease_ms. One worker delivers at a time; the number of its attempt, or
-- false when there is nothing to deliver (now).
local held = redis.call('HMGET', JOB, 'webhook_state', 'webhook_claim', 'webhook_attempts')
if held[1] == 'delivering' and held[2] == ARGV[2] then return tonumber(held[3]) end
if held[1] ~= 'enqueued' then return false end
redis.call('HSET', JOB, 'webhook_state', 'delivering', 'webhook_claim', ARGV[2])
redis.call('ZADD', WEBHOOKS, now_ms() + ARGV[3], ARGV[1])
return redis.call('HINCRBY', JOB, 'webhook_attempts', 1)
