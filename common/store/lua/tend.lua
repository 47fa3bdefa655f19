-- ARGV: a gate, or the line. KEYS[1] and [5] are of no job. Places of jobs that are gone are given
-- away, and whoever can go on does. It is looked at again for as long as it is in use.
local gate, now = ARGV[1], now_ms()
local due = redis.call('ZSCORE', GATES, gate)
if not due or tonumber(due) > now then return 0 end
redis.call('ZREM', GATES, gate)
if gate == LINE then
  top_up(now)
else
  for _, id in ipairs(redis.call('SMEMBERS', gate)) do
    local is_active = redis.call('ZSCORE', RUNNING, id) or redis.call('ZSCORE', QUEUED, id)
      or redis.call('ZSCORE', PARKED, id) or redis.call('ZSCORE', HELD, id)
    if not is_active then redis.call('SREM', gate, id) end
  end
  admit_waiting(gate, now)
end
if redis.call('EXISTS', gate, gate .. ':waiting') > 0 then look_at(gate, now) end
return 1
