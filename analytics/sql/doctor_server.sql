-- What the doctor wants to know of the server, one row a fact, as text.
SELECT name, coalesce(value, '') AS value
FROM (
    SELECT s.name, s.setting AS value
    FROM pg_settings s
    WHERE s.name IN ('logging_collector', 'log_destination', 'log_min_messages', 'log_min_error_statement',
                     'log_statement', 'log_min_duration_statement', 'log_min_duration_sample',
                     'log_statement_sample_rate', 'log_transaction_sample_rate', 'track_counts', 'log_line_prefix',
                     -- Settings of libraries; they are there where the library is loaded.
                     'pgaudit.role', 'pgaudit.log', 'pgaudit.log_level', 'auto_explain.log_min_duration',
                     'auto_explain.sample_rate', 'auto_explain.log_nested_statements', 'pg_stat_statements.track')
    UNION ALL
    VALUES ('role', current_user::text),
           ('database', current_database()::text),
           ('superuser', (SELECT rolsuper::text FROM pg_roles WHERE rolname = current_user)),
           ('can_create', has_database_privilege(current_database(), 'CREATE')::text),
           ('tables_not_owned',
            (SELECT count(*)::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
               AND n.nspname !~ '^pg_(toast|temp)' AND NOT pg_has_role(c.relowner, 'USAGE'))),
           ('registry', (to_regclass('pgattic.migration') IS NOT NULL)::text),
           -- A role or database can turn off for itself what the server has on.
           ('overridden',
            (SELECT string_agg(DISTINCT concat_ws(' in ', coalesce(r.rolname, 'all roles'), d.datname)
                               || ': ' || o.setting, ', ')
             FROM pg_db_role_setting s
             CROSS JOIN unnest(s.setconfig) AS o(setting)
             LEFT JOIN pg_roles r ON r.oid = s.setrole
             LEFT JOIN pg_database d ON d.oid = s.setdatabase
             WHERE split_part(o.setting, '=', 1) IN ('log_min_messages', 'log_min_error_statement', 'track_counts'))),
           ('statements_overridden',
            (SELECT string_agg(DISTINCT concat_ws(' in ', coalesce(r.rolname, 'all roles'), d.datname)
                               || ': ' || o.setting, ', ')
             FROM pg_db_role_setting s
             CROSS JOIN unnest(s.setconfig) AS o(setting)
             LEFT JOIN pg_roles r ON r.oid = s.setrole
             LEFT JOIN pg_database d ON d.oid = s.setdatabase
             WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
               AND split_part(o.setting, '=', 1) IN ('log_statement', 'log_min_duration_statement'))),
           ('in_recovery', pg_is_in_recovery()::text),
           -- Physical ones; a logical subscriber reads nothing of ours.
           ('standbys',
            (SELECT count(*)::text
             FROM pg_stat_replication r
             WHERE NOT EXISTS (SELECT FROM pg_replication_slots s WHERE s.active_pid = r.pid AND s.slot_type = 'logical')
               AND coalesce(r.application_name, '') NOT IN ('pg_basebackup', 'pg_receivewal'))),
           ('counting_since',
            (SELECT greatest(stats_reset, pg_postmaster_start_time())::text
             FROM pg_stat_database WHERE datname = current_database())),
           ('server_now', to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')),
           -- Where the log is, for those who may know.
           ('log_folder', CASE WHEN pg_has_role('pg_read_all_settings', 'USAGE')
                               THEN current_setting('data_directory', true) || '/' || current_setting('log_directory', true) END),
           ('may_ask_for_log', has_function_privilege('pg_current_logfile(text)', 'EXECUTE')::text)
) AS facts (name, value)
