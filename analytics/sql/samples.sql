-- When each node was looked at since a moment and answered, whether it counted what every role did, and when the
-- oldest session of a client began.
SELECT node,
       sampled_at,
       list_contains(settings, 'track_counts=on')
           AND NOT list_contains(settings, 'track_counts of a role=off') AS is_counting,
       coalesce(standbys, 0) AS standbys,
       oldest_session_at
FROM sample
WHERE failure IS NULL
  AND sampled_at >= $since::TIMESTAMPTZ
  AND day >= ($since::TIMESTAMPTZ)::DATE
ORDER BY node, sampled_at
