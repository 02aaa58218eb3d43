-- The settings that decide what the server's log tells, as this session sees them, and whether a role or this
-- database has its own value of one; and when the server last read its configuration. Settings of a library that
-- is not loaded are not among them.
SELECT s.name,
       s.setting,
       pg_conf_load_time() AS loaded_at,
       EXISTS (SELECT FROM pg_db_role_setting o, unnest(o.setconfig) AS item
               WHERE o.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
                 AND lower(split_part(item, '=', 1)) = s.name) AS is_overridden
FROM pg_settings s
WHERE s.name IN ('lc_messages', 'log_destination', 'log_min_duration_statement', 'log_min_error_statement',
                 'log_line_prefix', 'log_min_messages', 'log_statement', 'log_timezone', 'logging_collector',
                 'pgaudit.role', 'pgaudit.log_client', 'pgaudit.log_level', 'shared_preload_libraries',
                 'auto_explain.log_min_duration', 'auto_explain.sample_rate', 'auto_explain.log_level',
                 'auto_explain.log_nested_statements', 'auto_explain.log_verbose',
                 'pg_stat_statements.track', 'pg_stat_statements.track_utility', 'compute_query_id')
