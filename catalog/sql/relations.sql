-- Tables, partitioned tables, views, materialized views, sequences and foreign tables, with their columns.
SELECT c.oid::bigint AS oid,
       n.nspname AS schema,
       c.relname AS name,
       c.relkind::text AS kind,
       pg_get_userbyid(c.relowner) AS owner,
       obj_description(c.oid, 'pg_class') AS comment,
       CASE WHEN c.relkind IN ('r', 'm', 'p') THEN pg_total_relation_size(c.oid) ELSE 0 END::bigint AS total_bytes,
       greatest(c.reltuples, 0)::bigint AS estimated_rows,
       e.extname AS extension,
       c.reltype::bigint AS row_type_oid,
       coalesce(
           (SELECT jsonb_agg(jsonb_build_object(
                       'number', a.attnum,
                       'name', a.attname,
                       'type_oid', coalesce(nullif(t.typelem, 0), t.oid)::bigint,
                       'type', format_type(a.atttypid, a.atttypmod),
                       'not_null', a.attnotnull,
                       'inherited', a.attinhcount > 0,
                       'comment', col_description(c.oid, a.attnum)
                   ) ORDER BY a.attnum)
            FROM pg_attribute a
            JOIN pg_type t ON t.oid = a.atttypid
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
           '[]'::jsonb) AS columns
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype = 'e'
LEFT JOIN pg_extension e ON e.oid = d.refobjid
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pgattic')
  AND n.nspname !~ '^pg_(toast|temp)'
ORDER BY 2, 3
