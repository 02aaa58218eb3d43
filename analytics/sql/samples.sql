-- When each node was looked at since a moment and answered, whether it counted what every role did, when the oldest
-- session of a client began, which server it was, and the newest rename that it knew of.
SELECT node,
       sampled_at,
       list_contains(settings, 'track_counts=on')
           AND NOT list_contains(settings, 'track_counts of a role=off') AS is_counting,
       oldest_session_at,
       server_started_at,
       kept_since,
       registry_at
FROM sample
WHERE failure IS NULL
  AND sampled_at >= $since::TIMESTAMPTZ
  AND day >= ($since::TIMESTAMPTZ)::DATE
ORDER BY node, sampled_at
