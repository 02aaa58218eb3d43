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
       (WITH RECURSIVE below AS (
            SELECT h.inhrelid FROM pg_inherits h WHERE h.inhparent = c.oid
            UNION
            SELECT h.inhrelid FROM below b JOIN pg_inherits h ON h.inhparent = b.inhrelid
        ) SELECT count(*) FROM below)::integer AS children,
       s.table_name AS used_by_table,
       s.column_name AS used_by_column,
       coalesce(s.is_identity, false) AS is_identity,
       coalesce(
           (SELECT jsonb_agg(jsonb_build_object('grantee', coalesce(g.rolname, ''), 'privilege', x.privilege_type,
                                                'grantable', x.is_grantable)
                             ORDER BY g.rolname NULLS FIRST, x.privilege_type, x.is_grantable)
            FROM aclexplode(c.relacl) x LEFT JOIN pg_roles g ON g.oid = x.grantee),
           '[]'::jsonb) AS grants,
       coalesce(
           (SELECT jsonb_agg(jsonb_build_object(
                       'number', a.attnum,
                       'name', a.attname,
                       'type_oid', coalesce(nullif(t.typelem, 0), t.oid)::bigint,
                       'type', format_type(a.atttypid, a.atttypmod),
                       'not_null', a.attnotnull,
                       'inherited', a.attinhcount > 0,
                       'comment', col_description(c.oid, a.attnum),
                       'default', (SELECT pg_get_expr(v.adbin, v.adrelid) FROM pg_attrdef v
                                   WHERE v.adrelid = c.oid AND v.adnum = a.attnum),
                       'grants', coalesce(
                           (SELECT jsonb_agg(jsonb_build_object('grantee', coalesce(g.rolname, ''),
                                                                'privilege', x.privilege_type,
                                                                'grantable', x.is_grantable)
                                             ORDER BY g.rolname NULLS FIRST, x.privilege_type, x.is_grantable)
                            FROM aclexplode(a.attacl) x LEFT JOIN pg_roles g ON g.oid = x.grantee),
                           '[]'::jsonb)
                   ) ORDER BY a.attnum)
            FROM pg_attribute a
            JOIN pg_type t ON t.oid = a.atttypid
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
           '[]'::jsonb) AS columns
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype = 'e'
LEFT JOIN pg_extension e ON e.oid = d.refobjid
-- The column that a sequence belongs to: by OWNED BY (a) or as its identity (i).
LEFT JOIN LATERAL (
    SELECT t.relname AS table_name, b.attname AS column_name, o.deptype = 'i' AS is_identity
    FROM pg_depend o JOIN pg_class t ON t.oid = o.refobjid
    JOIN pg_attribute b ON b.attrelid = o.refobjid AND b.attnum = o.refobjsubid
    WHERE c.relkind = 'S' AND o.classid = 'pg_class'::regclass AND o.objid = c.oid
      AND o.refclassid = 'pg_class'::regclass AND o.refobjsubid > 0 AND o.deptype IN ('a', 'i')
) s ON true
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pgattic')
  AND n.nspname !~ '^pg_(toast|temp)'
ORDER BY 2, 3
