-- Others that hold or wait for a lock on a table or index now, the oldest transaction first. A prepared transaction has
-- no session; its locks are of the virtual transaction that also holds the lock on its number.
SELECT l.relation::bigint AS oid, l.granted, a.pid,
       coalesce(a.application_name, '') AS application, coalesce(a.usename, p.owner, '') AS role,
       coalesce(a.state, '') AS state, a.query_start AS query_started_at, a.query, p.gid AS prepared_as,
       extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, p.prepared))::float8 AS seconds
FROM pg_locks l
LEFT JOIN pg_stat_activity a ON a.pid = l.pid
LEFT JOIN pg_locks n ON l.pid IS NULL AND n.pid IS NULL AND n.locktype = 'transactionid'
                     AND n.virtualtransaction = l.virtualtransaction
LEFT JOIN pg_prepared_xacts p ON p.transaction = n.transactionid
WHERE l.relation >= 16384 AND l.pid IS DISTINCT FROM pg_backend_pid()
  AND coalesce(a.xact_start, p.prepared) IS NOT NULL
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY seconds DESC, a.pid, p.gid
