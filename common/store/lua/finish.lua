-- ARGV: id, claim token, created_at, status, keep_input_bytes, then fields. 1 when this call ended
-- the job. A success is welcome from any attempt, for it is paid; anything else only from the
-- current one. A job that was deleted and made anew with the same id is another job.
local id, token, status = ARGV[1], ARGV[2], ARGV[4]
local held = redis.call('HMGET', JOB, 'status', 'attempt', 'claim', 'created_at')
if not held[1] or TERMINAL[held[1]] or held[4] ~= ARGV[3] then return 0 end
local is_current = held[3] == token
if status ~= 'completed' and not is_current then return 0 end
if not is_current then redis.call('HSET', JOB, 'overtaken', 1) end -- its events are another's
redis.call('HSET', JOB, 'attempts', held[2], unpack(ARGV, 6))
end_job(id, status, now_ms(), ARGV[5])
return 1
