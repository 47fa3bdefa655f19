-- Shared by every script; each script is this file followed by its own.
--
-- KEYS[1] the job's record        KEYS[2] queued:  job id by the time it was enqueued (ms)
-- KEYS[3] running: job id by the end of its lease (ms)
-- KEYS[4] parked:  job id by the time of its next attempt (ms)
-- KEYS[5] events:  the stream of the job's events, if it is streamed
-- KEYS[6] webhooks: job id by the time its delivery is looked at next (ms)
-- KEYS[7] Celery's queue of jobs,
-- KEYS[8] of deliveries, and
-- KEYS[9] of jobs that were called (see below), only when the broker is this very server; else
-- messages are ''.
-- Beside them, in the same hash slot, are
-- HELD: job id by the time since which it waits in the line or at a gate, and
-- GATES: the key of each gate that is in use by the time when it is looked at (ms).
--
-- Time is the server's alone, so that workers whose clocks differ agree on a lease.

local JOB, QUEUED, RUNNING, PARKED = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local EVENTS, WEBHOOKS, QUEUE, WEBHOOKS_QUEUE, CALLED = KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local SPACE = string.sub(QUEUED or '', 1, -#'queued' - 1)
local HELD, GATES, LINE = SPACE .. 'held', SPACE .. 'gates', SPACE .. 'line'
local TERMINAL = { completed = true, failed = true, cancelled = true }

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function push(message)
  if message ~= '' and QUEUE then redis.call('LPUSH', QUEUE, message) end
end

-- A provider may work on a job that ends while no worker runs it: its message brings one who says so.
local function tell_upstream(message)
  if redis.call('HEXISTS', JOB, 'upstream_id') == 1 then push(message) end
end

local function leave_indexes(id)
  redis.call('ZREM', QUEUED, id)
  redis.call('ZREM', RUNNING, id)
  redis.call('ZREM', PARKED, id)
end

local function record_of(id) return SPACE .. 'job:' .. id end

local FIELDS = { 'status', 'claim', 'owner', 'created_at', 'started_at', 'next_attempt_at', 'waits',
  'held_message', 'peers', 'calls' }

local function read_job(record)
  local values, job = redis.call('HMGET', record, unpack(FIELDS)), { gates = {} }
  for i, name in ipairs(FIELDS) do job[name] = values[i] end
  if job.peers then table.insert(job.gates, job.peers) end
  if job.calls then table.insert(job.gates, job.calls) end
  job.has_run = job.started_at
  return job
end

-- A gate bounds how many jobs may be somewhere at once. Its key is the set of those that hold a place
-- there; beside it stand ':bound', the newest that a submit has brought, ':waiting', the jobs that
-- wait for a place by their turn, and ':turns', the last turn that each owner has got.
--
-- A record names the gates of its job: peers, for the jobs of its key that run at once, and calls,
-- for those of its provider. It goes through them in this order when it is claimed, and keeps its
-- places until it stops running. Where one is full it waits, with the places before it in hand; as
-- all go the same way, somebody always gets on. It has no message then: who gives up a place calls the
-- next, in a queue of its own, so that no place is idle for as long as the other queue is.
--
-- The line has no places. In it wait the jobs of all keys when the queue is full enough, so that a
-- key's many jobs are not ahead of another's one. Those without a key do not wait there.
--
-- Turns: each job of an owner gets one after the owner's last, and a newcomer's first comes right after
-- the one that is served now. Jobs that have run before take turns with the others of their owner.

local SERVED = '@' -- whose turn was served last; no owner is called so
local ENOUGH = 8 -- messages: workers never find the queue empty, and a newcomer is served soon
local MOST_MOVES = 100 -- of one script; the rest moves on soon
local LOOK_MS, LOOK_AT_LINE_MS, CALL_AGAIN_MS = 30000, 1000, 30000

local function look_at(gate, now)
  redis.call('ZADD', GATES, 'NX', now + (gate == LINE and LOOK_AT_LINE_MS or LOOK_MS), gate)
end

local function forget_unused(gate)
  if redis.call('EXISTS', gate, gate .. ':waiting') == 0 then redis.call('ZREM', GATES, gate) end
end

local function wait_at(gate, id, job, now)
  local turns, who = gate .. ':turns', job.owner .. (job.has_run and ' again' or '')
  local served = tonumber(redis.call('ZSCORE', turns, SERVED) or 0)
  local turn = math.max(served, tonumber(redis.call('ZSCORE', turns, who) or 0)) + 1
  redis.call('ZADD', turns, turn, who)
  redis.call('ZADD', gate .. ':waiting', turn, id)
  redis.call('HSET', record_of(id), 'waits', gate)
  look_at(gate, now)
end

local function next_waiting(gate)
  local waiting, turns = gate .. ':waiting', gate .. ':turns'
  local first = redis.call('ZRANGE', waiting, 0, 0, 'WITHSCORES')
  if not first[1] then return end
  redis.call('ZREM', waiting, first[1])
  if redis.call('EXISTS', waiting) == 0 then
    redis.call('DEL', turns)
    if gate == LINE then forget_unused(LINE) end
  else
    redis.call('ZREMRANGEBYSCORE', turns, '-inf', first[2])
    redis.call('ZADD', turns, first[2], SERVED)
  end
  return first[1]
end

local function stop_waiting(id, gate)
  redis.call('ZREM', gate .. ':waiting', id)
  if redis.call('EXISTS', gate .. ':waiting') == 0 then redis.call('DEL', gate .. ':turns') end
  redis.call('HDEL', record_of(id), 'waits')
  redis.call('ZREM', HELD, id)
  forget_unused(gate)
end

local function is_full(gate, id)
  local bound = redis.call('GET', gate .. ':bound')
  if not bound or redis.call('SCARD', gate) < tonumber(bound) then return false end
  return redis.call('SISMEMBER', gate, id) == 0
end

local function is_held_up(id, job)
  for _, gate in ipairs(job.gates) do
    if is_full(gate, id) then return true end
  end
  return false
end

-- False when it has to wait on its way.
local function pass_gates(id, job, now)
  for _, gate in ipairs(job.gates) do
    if is_full(gate, id) then
      wait_at(gate, id, job, now)
      return false
    end
    redis.call('SADD', gate, id)
    look_at(gate, now)
  end
  return true
end

local function hold(id, job, message, now)
  redis.call('HSET', record_of(id), 'held_message', message)
  redis.call('ZADD', HELD, job.has_run and now or job.created_at, id)
end

-- The next of the line get messages, as far as the queue is not full enough. Where another broker
-- carries messages by now there is no line, and all move on.
local function top_up(now)
  local moves = 0
  while moves < MOST_MOVES and (not QUEUE or redis.call('LLEN', QUEUE) < ENOUGH) do
    local id = next_waiting(LINE)
    if not id then return end
    moves = moves + 1
    local job = read_job(record_of(id))
    if job.status == 'queued' and job.waits == LINE then
      if is_held_up(id, job) then
        pass_gates(id, job, now)
      else
        redis.call('HDEL', record_of(id), 'waits')
        redis.call('ZREM', HELD, id)
        redis.call('ZADD', QUEUE and QUEUED or PARKED, now, id)
        push(job.held_message)
      end
    end
  end
end

-- A waiting job that stands nowhere yet gets to where it has to wait.
local function place(id, job, message, now)
  local is_lined = QUEUE and message ~= '' and job.owner ~= ''
  if is_held_up(id, job) then
    pass_gates(id, job, now)
    hold(id, job, message, now)
  elseif is_lined
    and (redis.call('EXISTS', LINE .. ':waiting') == 1 or redis.call('LLEN', QUEUE) >= ENOUGH) then
    wait_at(LINE, id, job, now)
    hold(id, job, message, now)
  else
    redis.call('ZADD', QUEUED, now, id)
    push(message)
  end
  if is_lined then top_up(now) end
end

local function enqueue(id, now, message)
  leave_indexes(id)
  redis.call('HSET', JOB, 'status', 'queued')
  redis.call('HDEL', JOB, 'claim', 'next_attempt_at', 'held_message')
  local job = read_job(JOB)
  job.has_run = true -- or its message was lost: it has had its turn
  place(id, job, message, now)
end

-- One that has all its places gets a message, and another if that is not heard.
local function call_now(id, message, now)
  if QUEUE and message and message ~= '' then
    redis.call('LPUSH', CALLED, message)
    redis.call('ZADD', PARKED, now + CALL_AGAIN_MS, id)
  else
    redis.call('ZADD', PARKED, now, id) -- another broker carries messages
  end
end

local function admit_waiting(gate, now)
  local bound = tonumber(redis.call('GET', gate .. ':bound') or math.huge)
  for _ = 1, MOST_MOVES do
    if redis.call('SCARD', gate) >= bound then return end
    local id = next_waiting(gate)
    if not id then return end
    local job = read_job(record_of(id))
    if job.status == 'queued' and job.waits == gate then
      redis.call('SADD', gate, id)
      redis.call('HDEL', record_of(id), 'waits')
      if pass_gates(id, job, now) then
        redis.call('ZREM', HELD, id)
        call_now(id, job.held_message, now)
      end
    end
  end
  redis.call('ZADD', GATES, now, gate)
end

-- A job that stops running, or waiting for it, gives up its places.
local function leave_gates(id, now)
  local held = redis.call('HMGET', JOB, 'waits', 'peers', 'calls')
  if held[1] then stop_waiting(id, held[1]) end
  for i = 2, 3 do
    if held[i] and redis.call('SREM', held[i], id) == 1 then
      admit_waiting(held[i], now)
      forget_unused(held[i])
    end
  end
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

-- For operators: what happened in each minute (kept for two hours), and what each owner has used on
-- each day (kept for a good 400). Nothing that goes wrong with the counting stops what is counted.
local function count(key, seconds, field, by)
  key = SPACE .. key
  if redis.pcall('HINCRBY', key, field, by) == tonumber(by) then redis.call('EXPIRE', key, seconds) end
end

local function count_minute(now, field)
  count('minute:' .. math.floor(now / 60000), 7200, field, 1)
end

local function count_day(now, owner, what, by)
  count('usage:' .. math.floor(now / 86400000), 401 * 86400, what .. ':' .. owner, by)
end

local function count_end(now, status)
  count_minute(now, status)
  count_day(now, redis.call('HGET', JOB, 'owner') or '', 'jobs', 1)
end

-- The one way into a terminal status. From here on the record has an end.
local function end_job(id, status, now, keep_input_bytes)
  local ttl_ms = redis.call('HGET', JOB, 'ttl_seconds') * 1000
  count_end(now, status)
  leave_indexes(id)
  leave_gates(id, now)
  redis.call('HSET', JOB, 'status', status, 'completed_at', now, 'expires_at', now + ttl_ms)
  redis.call('HDEL', JOB, 'claim', 'next_attempt_at', 'partial', 'held_message', 'caller_key')
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
