-- KEYS: any one job's record, the three indexes, then the record of each held job. ARGV: lease_ms, or 0 to look without renewing;
-- then id and attempt of each. Returns the ids that are no longer ours.
local lease_ms = tonumber(ARGV[1])
local until_ms = now_ms() + lease_ms
local lost = {}
for i = 2, #ARGV, 2 do
  local held = redis.call('HMGET', KEYS[4 + i / 2], 'status', 'attempt')
  if held[1] ~= 'in_progress' or held[2] ~= ARGV[i + 1] then
    lost[#lost + 1] = ARGV[i]
  elseif lease_ms > 0 then
    redis.call('ZADD', RUNNING, until_ms, ARGV[i])
  end
end
return lost
