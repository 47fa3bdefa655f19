-- ARGV: id, claim token, cap, partial and response id (each '' for none), then sequence number, name
-- and data of each event.
-- Events of the current attempt join the job's stream; 0 when the attempt is not current any more.
-- Sequence numbers grow over all attempts, so an append that is sent twice adds nothing twice.
local token, cap, partial, response_id = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local held = redis.call('HMGET', JOB, 'claim', 'sequence')
if held[1] ~= token then return 0 end
local last = tonumber(held[2] or '-1')
for i = 6, #ARGV, 3 do
  local sequence = tonumber(ARGV[i])
  if sequence > last then
    redis.call('XADD', EVENTS, 'MAXLEN', '~', cap, '0-' .. ARGV[i],
      'name', ARGV[i + 1], 'data', ARGV[i + 2])
    last = sequence
  end
end
if last >= 0 then redis.call('HSET', JOB, 'sequence', last) end
if response_id ~= '' then redis.call('HSET', JOB, 'alias:' .. response_id, 1) end
if partial ~= '' then redis.call('HSET', JOB, 'partial', partial) end
return 1
