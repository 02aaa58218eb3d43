-- The settings that decide what is logged and counted, as this session sees them; and whether some role counts
-- nothing of what it does.
SELECT name || '=' || setting AS said
FROM pg_settings
WHERE name IN ('auto_explain.log_level', 'auto_explain.log_min_duration', 'auto_explain.log_nested_statements',
               'auto_explain.log_verbose', 'auto_explain.sample_rate', 'compute_query_id', 'lc_messages',
               'log_destination', 'log_error_verbosity', 'log_line_prefix', 'log_min_duration_sample',
               'log_min_duration_statement', 'log_min_error_statement', 'log_min_messages', 'log_statement',
               'log_statement_sample_rate', 'log_timezone', 'log_transaction_sample_rate', 'logging_collector',
               'pg_stat_statements.track', 'pgaudit.log', 'pgaudit.log_client',
               'pgaudit.log_level', 'pgaudit.role', 'stats_fetch_consistency',
               'track_activities', 'track_counts')
UNION
SELECT 'track_counts of a role=off'
FROM pg_db_role_setting o, unnest(o.setconfig) AS item
WHERE o.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
  AND split_part(item, '=', 1) = 'track_counts'
  -- What is not certainly on is off: PostgreSQL takes 'OFF' and 'f' for it too.
  AND lower(split_part(item, '=', 2)) NOT IN ('on', 'true', 'yes', '1')
ORDER BY said
