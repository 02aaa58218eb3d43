-- At which looks a node's pg_stat_statements was read, what it was then, and whether it told of every statement.
SELECT node,
       sampled_at,
       statements_read_at                          AS read_at,
       statements_reset_at                         AS reset_at,
       statements_evicted                          AS evicted,
       statements_entries                          AS entries,
       statements_calls                            AS calls,
       server_started_at,
       kept_since,
       settings_since,
       registry_at,
       coalesce(list_contains(sources, 'statements'), false) AS tells_all
FROM sample
WHERE failure IS NULL
  AND statements_read_at IS NOT NULL
  AND sampled_at >= $since::TIMESTAMPTZ
  AND day >= ($since::TIMESTAMPTZ)::DATE
ORDER BY node, sampled_at
