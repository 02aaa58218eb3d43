-- Every search_path that is set for a role, a database or a function; "who" says for whom.
SELECT coalesce('role ' || quote_ident(r.rolname), 'every role') AS who, r.rolname AS role,
       substr(c.setting, length('search_path=') + 1) AS path
FROM pg_db_role_setting s
CROSS JOIN unnest(s.setconfig) AS c (setting)
LEFT JOIN pg_roles r ON r.oid = s.setrole
WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
  AND c.setting LIKE 'search\_path=%'
UNION
SELECT 'function ' || p.oid::regprocedure::text, NULL, substr(c.setting, length('search_path=') + 1)
FROM pg_proc p
CROSS JOIN unnest(p.proconfig) AS c (setting)
WHERE p.oid >= 16384 AND c.setting LIKE 'search\_path=%'
ORDER BY 1, 3
