-- ARGV: attempt, upstream id. What the current attempt must not forget; 0 when it is not current.
local held = redis.call('HMGET', JOB, 'status', 'attempt')
if held[1] ~= 'in_progress' or held[2] ~= ARGV[1] then return 0 end
redis.call('HSET', JOB, 'upstream_id', ARGV[2], 'alias:' .. ARGV[2], 1)
return 1
