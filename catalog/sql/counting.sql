-- Who this server is, and since when it has counted.
SELECT clock_timestamp() AS now,
       pg_postmaster_start_time() AS server_started_at,
       -- A crash sets all of these to the moment of the recovery, a reset by hand only those that were meant.
       (SELECT min(stats_reset) FROM (SELECT stats_reset FROM pg_stat_archiver
                                      UNION ALL SELECT stats_reset FROM pg_stat_bgwriter) AS own) AS kept_since,
       (SELECT stats_reset FROM pg_stat_database WHERE datname = current_database()) AS reset_at,
       (SELECT system_identifier FROM pg_control_system()) AS system_id,
       (SELECT timeline_id FROM pg_control_checkpoint()) AS timeline,
       pg_is_in_recovery() AS in_recovery,
       has_function_privilege('pg_ls_waldir()', 'EXECUTE') AS has_waldir,
       current_setting('server_version_num')::integer AS server_version,
       pg_conf_load_time() AS settings_since,
       -- Other servers that stream from this one; logical subscribers have slots of their own and no reads of ours.
       (SELECT count(*)::integer
        FROM pg_stat_replication r
        WHERE NOT EXISTS (SELECT FROM pg_replication_slots s WHERE s.active_pid = r.pid AND s.slot_type = 'logical')
          AND coalesce(r.application_name, '') NOT IN ('pg_basebackup', 'pg_receivewal')) AS standbys,
       -- A session that this role may not see is taken for as old as the server.
       (SELECT min(coalesce(backend_start, pg_postmaster_start_time())) FROM pg_stat_activity
        WHERE coalesce(backend_type, 'client backend') = 'client backend' AND datname = current_database()
          AND pid <> pg_backend_pid() AND application_name <> 'pgattic') AS oldest_session_at,
       to_regclass('pgattic.own_scan') IS NOT NULL
           AND has_table_privilege(to_regclass('pgattic.own_scan'), 'SELECT')
           AND has_table_privilege(to_regclass('pgattic.backup'), 'SELECT') AS has_own,
       to_regclass('pgattic.element') IS NOT NULL
           AND has_table_privilege(to_regclass('pgattic.element'), 'SELECT') AS has_attic
