-- What a node's settings made its log show at each look, when it had last read them, when it was started, and what file
-- its log was.
SELECT node,
       sampled_at,
       settings_since,
       server_started_at,
       kept_since,
       sources,
       log_file
FROM sample
WHERE failure IS NULL
  AND settings_since IS NOT NULL
  AND sampled_at >= $since::TIMESTAMPTZ
  AND day >= ($since::TIMESTAMPTZ)::DATE
ORDER BY node, sampled_at
