-- KEYS[1]: the hash of the workers. ARGV: id, what the worker says of itself ('' when it goes), for
-- how long (ms) that holds. Those that have said nothing for that long are forgotten.
local holds_ms, now = tonumber(ARGV[3]), now_ms()
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], now .. ' ' .. ARGV[2])
  redis.call('PEXPIRE', KEYS[1], holds_ms)
end
local known = redis.call('HGETALL', KEYS[1])
for i = 1, #known, 2 do
  if now - tonumber(string.match(known[i + 1], '%d+')) > holds_ms then
    redis.call('HDEL', KEYS[1], known[i])
  end
end
return 1
