-- Constraints of tables.
SELECT k.oid::bigint AS oid,
       n.nspname AS schema,
       t.relname AS table,
       k.conname AS name,
       k.contype::text AS type,
       coalesce((SELECT jsonb_agg(a.attname ORDER BY u.position)
                 FROM unnest(k.conkey) WITH ORDINALITY AS u(attnum, position)
                 JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum), '[]'::jsonb) AS columns,
       rn.nspname AS references_schema,
       rt.relname AS references_table,
       ic.relname AS index,
       k.coninhcount > 0 AS is_inherited,
       k.convalidated AS is_validated,
       obj_description(k.oid, 'pg_constraint') AS comment,
       pg_get_constraintdef(k.oid) AS definition
FROM pg_constraint k
JOIN pg_class t ON t.oid = k.conrelid
JOIN pg_namespace n ON n.oid = t.relnamespace
LEFT JOIN pg_class rt ON rt.oid = k.confrelid
LEFT JOIN pg_namespace rn ON rn.oid = rt.relnamespace
LEFT JOIN pg_class ic ON ic.oid = k.conindid AND k.contype IN ('p', 'u', 'x')
WHERE k.contype IN ('c', 'f', 'p', 'u', 'x', 'n')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pgattic')
  AND n.nspname !~ '^pg_(toast|temp)'
ORDER BY 2, 3, 4
