-- What keeps pg_stat_statements from counting every statement: the settings in force, and those that some role or
-- database has for itself.
WITH wanted (name, allowed) AS (
    VALUES ('pg_stat_statements.track', ARRAY['top', 'all']),
           ('pg_stat_statements.track_utility', ARRAY['on', 'true', 'yes', '1']),
           ('compute_query_id', ARRAY['auto', 'on', 'true', 'yes', '1', 'regress'])
)
SELECT s.name || ' = ' || s.setting AS said
FROM wanted w
JOIN pg_settings s ON s.name = w.name
WHERE s.setting <> ALL (w.allowed)
UNION
SELECT concat_ws(' in ', coalesce(r.rolname, 'all roles'), d.datname) || ': ' || item
FROM pg_db_role_setting o
CROSS JOIN unnest(o.setconfig) AS item
JOIN wanted w ON w.name = split_part(item, '=', 1)
LEFT JOIN pg_roles r ON r.oid = o.setrole
LEFT JOIN pg_database d ON d.oid = o.setdatabase
WHERE o.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
  AND (lower(split_part(item, '=', 2)) <> ALL (w.allowed)
       -- Who is tracked less deeply than the server says is not tracked as it says.
       OR (w.name = 'pg_stat_statements.track' AND lower(split_part(item, '=', 2)) <> current_setting(w.name)))
ORDER BY said
