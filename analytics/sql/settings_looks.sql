-- At which looks a node's settings made its log show failed statements, and when it had last read them.
SELECT node,
       sampled_at,
       settings_since,
       list_contains(sources, 'error') AS shows_errors
FROM sample
WHERE failure IS NULL
  AND settings_since IS NOT NULL
  AND sampled_at >= $since::TIMESTAMPTZ
  AND day >= ($since::TIMESTAMPTZ)::DATE
ORDER BY node, sampled_at
