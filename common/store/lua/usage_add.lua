-- KEYS: what the sender has added last, then the hash of each day. ARGV: the number of these counts,
-- how long (s) the mark and the hashes live, then of each count the number of its day, its field and
-- by how much. Counts whose sender did not learn that they were added are not added again.
if redis.call('GET', KEYS[1]) == ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
for i = 4, #ARGV, 3 do
  local day = KEYS[1 + ARGV[i]]
  redis.call('HINCRBY', day, ARGV[i + 1], ARGV[i + 2])
  redis.call('EXPIRE', day, ARGV[3])
end
return 1
