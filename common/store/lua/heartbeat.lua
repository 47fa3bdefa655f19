-- KEYS: any one job's record, the three indexes, then the record of each held job. ARGV: lease_ms,
-- or 0 to look without renewing; then id and claim token of each. Returns the tokens that no longer
-- hold their job.
local lease_ms = tonumber(ARGV[1])
local until_ms = now_ms() + lease_ms
local lost = {}
for i = 2, #ARGV, 2 do
  if redis.call('HGET', KEYS[4 + i / 2], 'claim') ~= ARGV[i + 1] then
    lost[#lost + 1] = ARGV[i + 1]
  elseif lease_ms > 0 then
    redis.call('ZADD', RUNNING, until_ms, ARGV[i])
  end
end
return lost
