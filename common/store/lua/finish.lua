-- ARGV: id, claim token, created_at, status, keep_input_bytes, the tokens that it read and wrote, its
-- cost in billionths of a dollar, then fields. 1 when this call ended the job. A success is welcome
-- from any attempt, for it is paid; anything else only from the current one. A job that was deleted
-- and made anew with the same id is another job.
local id, token, status = ARGV[1], ARGV[2], ARGV[4]
local held = redis.call('HMGET', JOB, 'status', 'attempt', 'claim', 'created_at', 'owner')
if not held[1] or TERMINAL[held[1]] or held[4] ~= ARGV[3] then return 0 end
local is_current = held[3] == token
if status ~= 'completed' and not is_current then return 0 end
if not is_current then redis.call('HSET', JOB, 'overtaken', 1) end -- its events are another's
redis.call('HSET', JOB, 'attempts', held[2], unpack(ARGV, 9))
local now = now_ms()
end_job(id, status, now, ARGV[5])
for i, what in ipairs({ 'input_tokens', 'output_tokens', 'nano_dollars' }) do
  if ARGV[5 + i] ~= '0' then count_day(now, held[5] or '', what, ARGV[5 + i]) end
end
return 1
