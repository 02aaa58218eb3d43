-- The search_path that sessions in this database begin with: the server's, and what ALTER ROLE and ALTER
-- DATABASE set. A session cannot see the server's value where its own role or database has another one.
SELECT NULL AS role,
       false AS is_of_database,
       coalesce(
           (SELECT substring(s.item FROM '=(.*)')
            FROM pg_db_role_setting g, unnest(g.setconfig) AS s(item)
            WHERE g.setdatabase = 0 AND g.setrole = 0 AND s.item LIKE 'search\_path=%'),
           (SELECT p.reset_val FROM pg_settings p
            WHERE p.name = 'search_path'
              AND p.source IN ('default', 'environment variable', 'configuration file', 'command line'))
       ) AS setting
UNION ALL
SELECT r.rolname, g.setdatabase <> 0, substring(s.item FROM '=(.*)')
FROM pg_db_role_setting g
CROSS JOIN unnest(g.setconfig) AS s(item)
LEFT JOIN pg_roles r ON r.oid = g.setrole
WHERE s.item LIKE 'search\_path=%'
  AND (g.setdatabase <> 0 OR g.setrole <> 0)
  AND g.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
ORDER BY 1 NULLS FIRST, 2
