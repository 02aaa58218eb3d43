-- Functions and procedures with their bodies; aggregates have none.
SELECT p.oid::bigint AS oid,
       n.nspname AS schema,
       p.proname AS name,
       l.lanname AS language,
       -- BEGIN ATOMIC bodies are stored parsed; their dependencies stand in pg_depend.
       coalesce(pg_get_function_sqlbody(p.oid), p.prosrc) AS body,
       pg_get_function_identity_arguments(p.oid) AS arguments,
       (SELECT substring(s.item FROM '=(.*)') FROM unnest(p.proconfig) AS s(item)
        WHERE s.item LIKE 'search\_path=%') AS search_path,
       coalesce((SELECT jsonb_agg(DISTINCT coalesce(nullif(t.typelem, 0), t.oid)::bigint)
                 FROM unnest(array_append(coalesce(p.proallargtypes, p.proargtypes::oid[]), p.prorettype)) AS a(type)
                 JOIN pg_type t ON t.oid = a.type), '[]'::jsonb) AS type_oids
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_language l ON l.oid = p.prolang
WHERE p.prokind IN ('f', 'p')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pgattic')
  AND n.nspname !~ '^pg_(toast|temp)'
  AND NOT EXISTS (SELECT FROM pg_depend d
                  WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
ORDER BY 2, 3, 6
