-- Triggers that people made, with what fires them and the function they call.
SELECT n.nspname AS schema,
       t.relname AS table,
       g.tgname AS name,
       fn.nspname AS function_schema,
       f.proname AS function_name,
       -- The bits of pg_trigger.tgtype.
       to_jsonb(array_remove(ARRAY[CASE WHEN g.tgtype & 4 <> 0 THEN 'insert' END,
                                   CASE WHEN g.tgtype & 8 <> 0 THEN 'delete' END,
                                   CASE WHEN g.tgtype & 16 <> 0 THEN 'update' END,
                                   CASE WHEN g.tgtype & 32 <> 0 THEN 'truncate' END], NULL)) AS events,
       g.tgtype & 64 <> 0 AS is_instead,
       coalesce((SELECT jsonb_agg(a.attname ORDER BY a.attnum)
                 FROM unnest(g.tgattr::int2[]) AS u(attnum)
                 JOIN pg_attribute a ON a.attrelid = g.tgrelid AND a.attnum = u.attnum), '[]'::jsonb) AS columns,
       g.tgenabled <> 'D' AS is_enabled
FROM pg_trigger g
JOIN pg_class t ON t.oid = g.tgrelid
JOIN pg_namespace n ON n.oid = t.relnamespace
JOIN pg_proc f ON f.oid = g.tgfoid
JOIN pg_namespace fn ON fn.oid = f.pronamespace
WHERE NOT g.tgisinternal
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pgattic')
  -- Those that pgattic put on elements in the attic use nothing.
  AND fn.nspname <> 'pgattic'
ORDER BY 1, 2, 3
