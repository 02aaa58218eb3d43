-- What the doctor wants to know of the server, one row a fact, as text.
WITH own AS (
    -- A role or database can turn off for itself what the server has on.
    SELECT split_part(o.setting, '=', 1) AS name,
           concat_ws(' in ', coalesce(r.rolname, 'all roles'), d.datname) || ': ' || o.setting AS words,
           CASE WHEN s.setrole = 0 AND s.setdatabase <> 0 THEN format('ALTER DATABASE %I', d.datname)
                ELSE concat_ws(' IN DATABASE ', 'ALTER ROLE ' || coalesce(quote_ident(r.rolname), 'ALL'), quote_ident(d.datname))
           END || ' RESET ' || split_part(o.setting, '=', 1) || ';' AS reset,
           s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())) AS is_for_this_database
    FROM pg_db_role_setting s
    CROSS JOIN unnest(s.setconfig) AS o(setting)
    LEFT JOIN pg_roles r ON r.oid = s.setrole
    LEFT JOIN pg_database d ON d.oid = s.setdatabase
), asked (fact, name, everywhere) AS (
    -- Errors and counters are of all databases; the others of this one.
    VALUES ('overridden', 'log_min_messages', true),
           ('overridden', 'log_min_error_statement', true),
           ('overridden', 'track_counts', true),
           ('statements_overridden', 'log_statement', false),
           ('statements_overridden', 'log_min_duration_statement', false),
           ('audit_overridden', 'pgaudit.role', false),
           ('audit_overridden', 'pgaudit.log_level', false),
           ('audit_overridden', 'pgaudit.log_client', false),
           ('calls_not_counted', 'pg_stat_statements.track', false),
           ('calls_not_counted', 'pg_stat_statements.track_utility', false),
           ('calls_not_counted', 'compute_query_id', false)
), overriding AS (
    SELECT asked.fact,
           string_agg(DISTINCT own.words, ', ') AS words,
           string_agg(DISTINCT own.reset, E'\n') AS resets
    FROM asked
    LEFT JOIN own ON own.name = asked.name AND (asked.everywhere OR own.is_for_this_database)
    GROUP BY asked.fact
)
SELECT name, coalesce(value, '') AS value
FROM (
    SELECT s.name, s.setting AS value
    FROM pg_settings s
    WHERE s.name IN ('logging_collector', 'log_destination', 'log_min_messages', 'log_min_error_statement',
                     'log_statement', 'log_min_duration_statement', 'log_min_duration_sample',
                     'log_statement_sample_rate', 'log_transaction_sample_rate', 'track_counts', 'log_line_prefix',
                     -- Since PostgreSQL 17.
                     'allow_alter_system',
                     -- Lists of libraries, for those who may know.
                     'shared_preload_libraries', 'session_preload_libraries',
                     -- Settings of libraries; they are there where the library is loaded.
                     'pgaudit.role', 'pgaudit.log', 'pgaudit.log_level', 'pgaudit.log_client', 'auto_explain.log_min_duration',
                     'auto_explain.sample_rate', 'auto_explain.log_nested_statements', 'pg_stat_statements.track',
                     'pg_stat_statements.track_utility', 'compute_query_id')
    UNION ALL
    SELECT fact, words FROM overriding
    UNION ALL
    SELECT fact || '_resets', resets FROM overriding
    UNION ALL
    VALUES ('role', current_user::text),
           ('database', current_database()::text),
           ('superuser', (SELECT rolsuper::text FROM pg_roles WHERE rolname = current_user)),
           ('can_create', has_database_privilege(current_database(), 'CREATE')::text),
           ('tables_not_owned',
            (SELECT count(*)::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
               AND n.nspname !~ '^pg_(toast|temp)' AND NOT pg_has_role(c.relowner, 'USAGE'))),
           -- Membership of a superuser would be more than is asked for.
           ('owners',
            (SELECT string_agg(DISTINCT quote_ident(o.rolname), E'\n')
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles o ON o.oid = c.relowner
             WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
               AND n.nspname !~ '^pg_(toast|temp)' AND NOT pg_has_role(c.relowner, 'USAGE') AND NOT o.rolsuper)),
           ('tables_of_superusers',
            (SELECT string_agg(c.oid::regclass::text, ', ' ORDER BY c.oid::regclass::text)
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles o ON o.oid = c.relowner
             WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
               AND n.nspname !~ '^pg_(toast|temp)' AND NOT pg_has_role(c.relowner, 'USAGE') AND o.rolsuper)),
           ('registry', (to_regclass('pgattic.migration') IS NOT NULL)::text),
           ('statements_extension', EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_stat_statements')::text),
           ('sees_texts', pg_has_role('pg_read_all_stats', 'USAGE')::text),
           ('attic_auditor', EXISTS (SELECT FROM pg_roles WHERE rolname = 'attic_auditor')::text),
           ('extensions', (SELECT string_agg(extname, ', ' ORDER BY extname) FROM pg_extension WHERE extname <> 'plpgsql')),
           ('extensions_offered',
            (SELECT string_agg(e.name, ', ') FROM pg_available_extensions e
             WHERE e.name IN ('pgaudit', 'pg_stat_statements'))),
           ('on_command_line', (SELECT string_agg(s.name, ', ') FROM pg_settings s WHERE s.source = 'command line')),
           ('in_recovery', pg_is_in_recovery()::text),
           -- Physical ones; a logical subscriber reads nothing of ours.
           ('standbys',
            (SELECT count(*)::text
             FROM pg_stat_replication r
             WHERE NOT EXISTS (SELECT FROM pg_replication_slots s WHERE s.active_pid = r.pid AND s.slot_type = 'logical')
               AND coalesce(r.application_name, '') NOT IN ('pg_basebackup', 'pg_receivewal'))),
           ('counting_since',
            -- Statistics survive a restart, but no crash: that one sets both of the server's own.
            (SELECT greatest(d.stats_reset, least(a.stats_reset, b.stats_reset))::text
             FROM pg_stat_database d, pg_stat_archiver a, pg_stat_bgwriter b
             WHERE d.datname = current_database())),
           ('server_now', to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')),
           -- Where the log is, for those who may know.
           ('log_folder', CASE WHEN pg_has_role('pg_read_all_settings', 'USAGE')
                               THEN current_setting('data_directory', true) || '/' || current_setting('log_directory', true) END),
           ('may_ask_for_log', has_function_privilege('pg_current_logfile(text)', 'EXECUTE')::text),
           ('may_read_files', has_function_privilege('pg_show_all_file_settings()', 'EXECUTE')::text)
) AS facts (name, value)
