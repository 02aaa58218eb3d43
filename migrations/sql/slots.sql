-- Replication slots of this database or of the whole server, and how much of the log each holds back.
SELECT s.slot_name AS name, s.slot_type AS type, s.active AS is_active, coalesce(s.wal_status, '') AS wal_status,
       coalesce(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                                     ELSE pg_current_wal_lsn() END, s.restart_lsn), 0)::bigint AS retained_bytes
FROM pg_replication_slots s
WHERE s.database IS NULL OR s.database = current_database()
ORDER BY 1
