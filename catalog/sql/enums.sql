-- Enum types with their labels.
SELECT t.oid::bigint AS oid,
       n.nspname AS schema,
       t.typname AS name,
       (SELECT jsonb_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid) AS labels,
       (SELECT jsonb_agg(e.oid::bigint ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid) AS label_oids,
       obj_description(t.oid, 'pg_type') AS comment
FROM pg_type t
JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype = 'e'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pgattic')
  AND n.nspname !~ '^pg_(toast|temp)'
  AND NOT EXISTS (SELECT FROM pg_depend d
                  WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')
ORDER BY 2, 3
