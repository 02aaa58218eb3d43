-- Settings under which the server leaves out lines of level LOG, or the statement that goes with them.
SELECT format('%s of %s is %s: their lines are left out', s.name, s.who, s.value) AS why
FROM (
    SELECT 'log_min_messages' AS name, 'this server' AS who, current_setting('log_min_messages') AS value
    UNION
    SELECT split_part(c.setting, '=', 1),
           coalesce('role ' || quote_ident(r.rolname), 'every role') ||
           coalesce(' in database ' || quote_ident(d.datname), ''),
           split_part(c.setting, '=', 2)
    FROM pg_db_role_setting p
    CROSS JOIN unnest(p.setconfig) AS c (setting)
    LEFT JOIN pg_roles r ON r.oid = p.setrole
    LEFT JOIN pg_database d ON d.oid = p.setdatabase
    WHERE p.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
      AND c.setting LIKE 'log\_min\_messages=%'
) AS s
WHERE s.value ~ '(fatal|panic)'
ORDER BY 1
