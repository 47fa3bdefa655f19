-- ARGV: id, claim token, lease_ms, its message ('' where another broker carries it), the queue's
-- deadline and the longest life of a job (both ms). Queued becomes in_progress, with a new fencing
-- number; a job of a key that runs as many as it may is parked until it is admitted.
local LOOK_AGAIN_MS, LONGEST_MS = 30000, 600000
local id, token, lease_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])
local now = now_ms()
local held = redis.call('HMGET', JOB, 'status', 'claim', 'peers', 'max_running', 'created_at',
  'next_attempt_at')

-- Members that are not even waiting any more left without giving up their place.
local function forget_gone(peers)
  for _, member in ipairs(redis.call('SMEMBERS', peers)) do
    local is_active = redis.call('ZSCORE', RUNNING, member) or redis.call('ZSCORE', QUEUED, member)
      or redis.call('ZSCORE', PARKED, member)
    if not is_active then redis.call('SREM', peers, member) end
  end
end

local function is_free(peers, max_running)
  if redis.call('SISMEMBER', peers, id) == 1 then return true end
  if redis.call('SCARD', peers) < max_running then return true end
  forget_gone(peers)
  admit_waiting(peers, now)
  return redis.call('SISMEMBER', peers, id) == 1 or redis.call('SCARD', peers) < max_running
end

-- Who gives up a place calls the next. That job is looked at again all the same, the later the more
-- are before it.
local function wait_for_place(peers)
  local waiting = peers .. ':waiting'
  leave_indexes(id)
  redis.call('ZADD', waiting, held[5], id)
  redis.call('PEXPIRE', waiting, ARGV[6])
  local before = redis.call('ZRANK', waiting, id)
  redis.call('HSET', JOB, 'held_message', ARGV[4])
  redis.call('ZADD', PARKED, now + math.min(LOOK_AGAIN_MS * (1 + before), LONGEST_MS), id)
end

if held[1] == 'queued' then
  -- Some second message of a job that its provider has asked not to be called for yet.
  if held[6] and tonumber(held[6]) > now then return false end
  local peers = held[3]
  if peers then
    -- One that is past its deadline is let through, so that its worker can tell.
    local is_late = now - held[5] > tonumber(ARGV[5])
    if not is_late and not is_free(peers, tonumber(held[4])) then
      wait_for_place(peers)
      return false
    end
    redis.call('SADD', peers, id)
    redis.call('PEXPIRE', peers, ARGV[6])
    redis.call('ZREM', peers .. ':waiting', id)
  end
  leave_indexes(id)
  redis.call('HINCRBY', JOB, 'attempt', 1)
  redis.call('HSET', JOB, 'status', 'in_progress', 'claim', token)
  redis.call('HSETNX', JOB, 'started_at', now)
  redis.call('HDEL', JOB, 'next_attempt_at', 'held_message')
  redis.call('ZADD', RUNNING, now + lease_ms, id)
elseif held[1] ~= 'in_progress' or held[2] ~= token then
  return false
else -- our own claim, asked again because its answer was lost on the way, or came late
  redis.call('ZADD', RUNNING, now + lease_ms, id)
end
return { now, redis.call('HMGET', JOB, 'attempt', 'request', 'options', 'created_at', 'started_at',
  'failures', 'ttl_seconds', 'sequence', 'shape', 'streamed',
  'upstream_id') }
