-- Open transactions, prepared ones too, that hold a lock on something in the attic which is counted or read by name:
-- what they have done there is counted when they end. Vacuum and analyze are no use; those who run them by themselves
-- have no role. A prepared transaction has no session; its locks are of the virtual transaction that also holds the
-- lock on its number.
SELECT l.relation::bigint AS oid,
       coalesce(a.usename, p.owner)::text AS role,
       a.application_name AS application,
       min(coalesce(a.xact_start, p.prepared)) AS since,
       p.gid AS prepared_as
FROM pg_locks l
LEFT JOIN pg_stat_activity a ON a.pid = l.pid
LEFT JOIN pg_locks n ON l.pid IS NULL AND n.pid IS NULL AND n.locktype = 'transactionid'
                     AND n.virtualtransaction = l.virtualtransaction
LEFT JOIN pg_prepared_xacts p ON p.transaction = n.transactionid
WHERE l.locktype = 'relation'
  AND l.granted
  AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
  AND l.relation IN (SELECT e.object_oid FROM pgattic.element e
                     WHERE e.deprecated_at IS NOT NULL AND e.restored_at IS NULL
                       AND e.kind IN ('table', 'view', 'matview', 'sequence'))
  AND l.mode <> 'ShareUpdateExclusiveLock'
  AND l.pid IS DISTINCT FROM pg_backend_pid()
  AND (l.pid IS NULL OR a.usesysid IS NOT NULL)
  AND a.application_name IS DISTINCT FROM 'pgattic'
GROUP BY 1, 2, 3, 5
ORDER BY 1, 2, 3, 5
