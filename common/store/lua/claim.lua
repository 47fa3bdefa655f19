-- ARGV: id, claim token, lease_ms, its message ('' where another broker carries it), the queue's
-- deadline and that of a run (both ms). Queued becomes in_progress, with a new fencing number; a job
-- that finds a gate full waits there until it is called.
local id, token, lease_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])
local now = now_ms()
if QUEUE then top_up(now) end -- a message was taken
local job = read_job(JOB)

-- One that is past its deadline needs no place: its worker fails it by the same figures.
local function is_late()
  if job.started_at then return now - job.started_at >= tonumber(ARGV[6]) end
  return now - job.created_at > tonumber(ARGV[5])
end

if job.status == 'queued' then
  -- Some second message of a job that is not to be called for yet.
  if job.waits or (job.next_attempt_at and tonumber(job.next_attempt_at) > now) then return false end
  if job.gates[1] and not is_late() and not pass_gates(id, job, now) then
    leave_indexes(id)
    hold(id, job, ARGV[4], now)
    return false
  end
  leave_indexes(id)
  redis.call('HINCRBY', JOB, 'attempt', 1)
  redis.call('HSET', JOB, 'status', 'in_progress', 'claim', token)
  redis.call('HSETNX', JOB, 'started_at', now)
  redis.call('HDEL', JOB, 'next_attempt_at', 'held_message')
  redis.call('ZADD', RUNNING, now + lease_ms, id)
elseif job.status ~= 'in_progress' or job.claim ~= token then
  return false
else -- our own claim, asked again because its answer was lost on the way, or came late
  redis.call('ZADD', RUNNING, now + lease_ms, id)
end
return { now, redis.call('HMGET', JOB, 'attempt', 'request', 'options', 'created_at', 'started_at',
  'failures', 'ttl_seconds', 'sequence', 'shape', 'streamed',
  'upstream_id', 'caller_key') }
