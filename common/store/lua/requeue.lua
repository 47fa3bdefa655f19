-- ARGV: id, index ('queued' or 'parked'), due_before_ms, message. A queued job gets a message:
-- its old one was lost, or it was parked and its time has come.
local id, message = ARGV[1], ARGV[4]
local index = ARGV[2] == 'parked' and PARKED or QUEUED
local score = redis.call('ZSCORE', index, id)
if not score or tonumber(score) > tonumber(ARGV[3]) then return 'held' end
if redis.call('HGET', JOB, 'status') ~= 'queued' then
  redis.call('ZREM', index, id)
  return 'gone'
end
enqueue(id, now_ms(), message)
return 'requeued'
