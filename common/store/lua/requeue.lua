-- ARGV: id, index ('queued', 'parked' or 'taken'), due_before_ms, message. A queued job gets a
-- message: its old one was lost, or it was parked and its time has come, or who took it does not act
-- on it.
local id, message, now = ARGV[1], ARGV[4], now_ms()
local called = redis.call('HGET', JOB, 'held_message')
local is_called = QUEUE and called and called ~= '' and redis.call('ZSCORE', PARKED, id)
if is_called and ARGV[2] == 'taken' then
  redis.call('HSET', JOB, 'held_message', message)
  call_now(id, message, now)
  return 'requeued'
end
local index = ARGV[2] == 'parked' and PARKED or QUEUED
local score = redis.call('ZSCORE', index, id)
if not score or tonumber(score) > tonumber(ARGV[3]) then return 'held' end
if redis.call('HGET', JOB, 'status') ~= 'queued' then
  redis.call('ZREM', index, id)
  return 'gone'
end
if not is_called then
  enqueue(id, now, message)
elseif redis.call('LPOS', CALLED, called) then
  redis.call('ZADD', PARKED, now + CALL_AGAIN_MS, id)
  return 'held'
else
  redis.call('HSET', JOB, 'held_message', message)
  call_now(id, message, now)
end
return 'requeued'
