-- Other sessions that hold or wait for a lock on a table or index now, the oldest transaction first.
SELECT l.relation::bigint AS oid, l.granted, a.pid,
       coalesce(a.application_name, '') AS application, coalesce(a.usename, '') AS role,
       coalesce(a.state, '') AS state, a.query_start AS query_started_at, a.query,
       extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS seconds
FROM pg_locks l
JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.relation >= 16384 AND a.pid <> pg_backend_pid() AND a.xact_start IS NOT NULL
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY seconds DESC, a.pid
