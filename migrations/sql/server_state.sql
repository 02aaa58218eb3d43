-- What the connected role and its server are, and what it may see and do here.
SELECT pg_is_in_recovery() AS is_standby,
       current_user::text AS role,
       current_setting('track_commit_timestamp')::boolean AS keeps_commit_times,
       has_function_privilege('pg_catalog.pg_stat_file(text, boolean)', 'EXECUTE') AS may_stat_files,
       current_setting('search_path') AS search_path,
       (SELECT coalesce(array_agg(format('%s ON %s', p.privilege, c.oid::regclass) ORDER BY c.relname, p.privilege), '{}')
        FROM pg_class c
        JOIN (VALUES ('migration', 'INSERT'), ('migration', 'UPDATE'), ('element', 'INSERT'), ('element', 'UPDATE'),
                     ('backup', 'INSERT'), ('backup', 'UPDATE'), ('own_scan', 'INSERT'), ('sensor', 'INSERT'),
                     ('lock_failure', 'INSERT'), ('lock_failure', 'DELETE'), ('breaker', 'INSERT'),
                     ('moment', 'USAGE')) AS p (name, privilege) ON p.name = c.relname
        WHERE c.relnamespace = to_regnamespace('pgattic')
          AND NOT CASE c.relkind WHEN 'S' THEN has_sequence_privilege(c.oid, p.privilege)
                                 ELSE has_table_privilege(c.oid, p.privilege) END
       ) AS missing_registry_rights,
       (SELECT coalesce(array_agg(n.nspname::text), '{}') FROM pg_namespace n
        WHERE NOT has_schema_privilege(n.oid, 'CREATE')) AS schemas_not_creatable,
       (SELECT coalesce(array_agg(n.nspname::text), '{}') FROM pg_namespace n
        JOIN pg_roles r ON r.rolname = n.nspname) AS schemas_of_roles,
       (SELECT count(*)::integer FROM pg_stat_activity a
        WHERE a.datname = current_database() AND a.application_name = 'postgres_fdw') AS foreign_sessions
