-- Indexes with what makes them more than a way to read faster.
SELECT i.indexrelid::bigint AS oid,
       n.nspname AS schema,
       c.relname AS name,
       t.relname AS table,
       coalesce((SELECT jsonb_agg(a.attname ORDER BY k.position)
                 FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, position)
                 JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
                 WHERE k.position <= i.indnkeyatts), '[]'::jsonb) AS columns,
       i.indisunique AS is_unique,
       i.indisprimary AS is_primary,
       i.indisvalid AS is_valid,
       i.indisreplident AS is_replica_identity,
       i.indisclustered AS is_clustered,
       i.indexprs IS NOT NULL AS has_expressions,
       c.relispartition AS is_partition,
       k.conname AS constraint,
       pg_relation_size(i.indexrelid)::bigint AS bytes,
       obj_description(i.indexrelid, 'pg_class') AS comment,
       -- The definition without the index's own name, so that two equal indexes have equal texts.
       regexp_replace(pg_get_indexdef(i.indexrelid), '^CREATE (UNIQUE )?INDEX .*? ON ', 'CREATE \1INDEX ON ') AS definition
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_class t ON t.oid = i.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
-- Joined, as there is no index to look it up by: foreign keys name the index of their target too.
LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pgattic')
  AND n.nspname !~ '^pg_(toast|temp)'
ORDER BY 2, 3
