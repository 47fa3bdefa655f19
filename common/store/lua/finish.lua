-- ARGV: id, attempt, status, keep_input_bytes, then fields. 1 when this call ended the job.
-- A success is welcome from any attempt, for it is paid; anything else only from the current one.
local id, attempt, status = ARGV[1], ARGV[2], ARGV[3]
local held = redis.call('HMGET', JOB, 'status', 'attempt')
if not held[1] or TERMINAL[held[1]] then return 0 end
local is_current = held[1] == 'in_progress' and held[2] == attempt
if status ~= 'completed' and not is_current then return 0 end
if not is_current then redis.call('HSET', JOB, 'overtaken', 1) end -- its events are another's
redis.call('HSET', JOB, 'attempts', held[2], unpack(ARGV, 5))
end_job(id, status, now_ms(), ARGV[4])
return 1
