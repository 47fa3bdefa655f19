-- ARGV: claim token, upstream id. What the current attempt must not forget; 0 when it is not current.
if redis.call('HGET', JOB, 'claim') ~= ARGV[1] then return 0 end
redis.call('HSET', JOB, 'upstream_id', ARGV[2], 'alias:' .. ARGV[2], 1)
return 1
