-- Shared by every script; each script is this file followed by its own.
--
-- KEYS[1] the job's record        KEYS[2] queued:  job id by the time it was enqueued (ms)
-- KEYS[3] running: job id by the end of its lease (ms)
-- KEYS[4] parked:  job id by the time of its next attempt (ms)
-- KEYS[5] events:  the stream of the job's events, if it is streamed
-- KEYS[6] webhooks: job id by the time its delivery is looked at next (ms)
-- KEYS[7] Celery's queue of jobs and
-- KEYS[8] of deliveries, only when the broker is this very server; else messages are ''.
--
-- Time is the server's alone, so that workers whose clocks differ agree on a lease.

local JOB, QUEUED, RUNNING, PARKED = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local EVENTS, WEBHOOKS, QUEUE, WEBHOOKS_QUEUE = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local TERMINAL = { completed = true, failed = true, cancelled = true }

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function push(message)
  if message ~= '' and QUEUE then redis.call('LPUSH', QUEUE, message) end
end

local function leave_indexes(id)
  redis.call('ZREM', QUEUED, id)
  redis.call('ZREM', RUNNING, id)
  redis.call('ZREM', PARKED, id)
end

local function enqueue(id, now, message)
  leave_indexes(id)
  redis.call('HSET', JOB, 'status', 'queued')
  redis.call('HDEL', JOB, 'claim', 'next_attempt_at')
  redis.call('ZADD', QUEUED, now, id)
  push(message)
end

-- Where a key bounds the jobs that it runs at once, its jobs name PEERS: a set of those that run or
-- were told to. Beside it, by their age, those that wait for a place (and are parked meanwhile).
-- Both are in the hash slot of the job.

-- The oldest that wait get the places that are free.
local function admit_waiting(peers, now)
  local waiting = peers .. ':waiting'
  while true do
    local id = redis.call('ZRANGE', waiting, 0, 0)[1]
    if not id then return end
    local record = string.sub(JOB, 1, -#id - 1) .. id
    local held = redis.call('HMGET', record, 'status', 'max_running', 'held_message')
    if held[1] == 'queued' then
      if redis.call('SCARD', peers) >= tonumber(held[2]) then return end
      redis.call('SADD', peers, id)
      if redis.call('ZSCORE', QUEUED, id) then
        -- its message is on its way
      elseif QUEUE and held[3] and held[3] ~= '' then
        redis.call('ZREM', PARKED, id)
        redis.call('ZADD', QUEUED, now, id)
        push(held[3])
      else
        redis.call('ZADD', PARKED, now, id) -- another broker carries messages
      end
    end
    redis.call('ZREM', waiting, id)
  end
end

-- A job that stops running, or waiting for it, gives up its place.
local function leave_peers(id, now)
  local peers = redis.call('HGET', JOB, 'peers')
  if not peers then return end
  redis.call('ZREM', peers .. ':waiting', id)
  if redis.call('SREM', peers, id) == 1 then admit_waiting(peers, now) end
end

-- Nothing of a job or batch whose delivery is pending expires; settling it starts its time.
local function expect_delivery(id, record, now)
  redis.call('HSET', record, 'webhook_state', 'waiting', 'webhook_attempts', 0,
    'webhook_next_at', now)
  redis.call('HDEL', record, 'webhook_delivered_at')
  redis.call('ZADD', WEBHOOKS, now, id)
  redis.call('PERSIST', record)
end

-- The batch that a job belongs to counts it off; with the last one it begins to expire.
local function leave_batch(now, ttl_ms)
  local batch = redis.call('HGET', JOB, 'batch') -- a key in the hash slot of the job
  if not batch or redis.call('EXISTS', batch) == 0 then return end
  if redis.call('HINCRBY', batch, 'remaining', -1) ~= 0 then return end
  redis.call('HSET', batch, 'status', 'completed', 'ended_at', now, 'expires_at', now + ttl_ms,
    'ttl_seconds', math.ceil(ttl_ms / 1000))
  redis.call('PEXPIRE', batch, ttl_ms)
  if redis.call('HEXISTS', batch, 'webhook') == 1 then
    expect_delivery(string.sub(batch, -36), batch, now)
  end
end

-- The one way into a terminal status. From here on the record has an end.
local function end_job(id, status, now, keep_input_bytes)
  local ttl_ms = redis.call('HGET', JOB, 'ttl_seconds') * 1000
  leave_indexes(id)
  leave_peers(id, now)
  redis.call('HSET', JOB, 'status', status, 'completed_at', now, 'expires_at', now + ttl_ms)
  redis.call('HDEL', JOB, 'claim', 'next_attempt_at', 'partial', 'held_message')
  if redis.call('HSTRLEN', JOB, 'request') > tonumber(keep_input_bytes) then
    redis.call('HDEL', JOB, 'request')
  end
  redis.call('PEXPIRE', JOB, ttl_ms)
  if redis.call('HGET', JOB, 'streamed') == '1' then
    redis.call('XADD', EVENTS, '1-0', 'end', status) -- greater than the id of any event
    redis.call('PEXPIRE', EVENTS, ttl_ms)
  end
  leave_batch(now, ttl_ms)
  if redis.call('HEXISTS', JOB, 'webhook') == 1 then
    expect_delivery(id, JOB, now)
    redis.call('PERSIST', EVENTS)
  end
  redis.call('PUBLISH', 'muninn:ended', id)
end
