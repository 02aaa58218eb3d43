-- Other sessions that hold a lock on a table or index now, and since when their transaction runs.
SELECT l.relation::bigint AS oid, a.pid, coalesce(a.application_name, '') AS application, coalesce(a.usename, '') AS role,
       coalesce(a.state, '') AS state, extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS seconds
FROM pg_locks l
JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.relation IS NOT NULL AND l.granted AND a.pid <> pg_backend_pid() AND a.xact_start IS NOT NULL
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY seconds DESC
