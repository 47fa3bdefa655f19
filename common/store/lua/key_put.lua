-- KEYS[1]: the hash of the virtual keys. ARGV: name, the key that was read there ('' for none), the
-- key to store, the field of the version. 1 when nobody was quicker.
local before = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if before ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('HINCRBY', KEYS[1], ARGV[4], 1)
return 1
