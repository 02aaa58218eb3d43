-- What each node counted of some objects since a moment; samples that say the same stand in one row. Counters only
-- go up, so those of one counting that are alike followed each other.
SELECT node,
       oid,
       kept_since,
       reset_at,
       reads,
       writes,
       blocks,
       maintenance,
       filenode,
       max(last_read_at) AS last_read_at,
       min(sampled_at)   AS first_at,
       max(sampled_at)   AS last_at
FROM counter
WHERE list_contains($oids::BIGINT[], oid)
  AND sampled_at >= $since::TIMESTAMPTZ
  AND day >= ($since::TIMESTAMPTZ)::DATE
GROUP BY ALL
ORDER BY node, oid, first_at
