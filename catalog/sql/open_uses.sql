-- Open transactions, prepared ones too, that hold a lock on something in the attic which is counted or read by name:
-- what they have done there is counted when they end. Vacuum and analyze are no use; those who run them by themselves
-- have no role.
SELECT l.relation::bigint AS oid,
       a.usename::text AS role,
       a.application_name AS application,
       min(a.xact_start) AS since
FROM pg_locks l
LEFT JOIN pg_stat_activity a ON a.pid = l.pid
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
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
