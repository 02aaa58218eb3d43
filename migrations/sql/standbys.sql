-- Standbys and subscribers that read the log now, and how far behind they are; without pg_read_all_stats
-- there is nothing but a number of them to see.
SELECT coalesce(application_name, '') AS name,
       state IS NOT NULL AS is_visible,
       extract(epoch FROM coalesce(replay_lag, interval '0'))::float8 AS lag_seconds,
       coalesce(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                                     ELSE pg_current_wal_lsn() END, replay_lsn), 0)::bigint AS behind_bytes
FROM pg_stat_replication
WHERE state IS DISTINCT FROM 'backup'
ORDER BY 3 DESC
