-- Triggers that people made, with the function they call.
SELECT n.nspname AS schema,
       t.relname AS table,
       g.tgname AS name,
       fn.nspname AS function_schema,
       f.proname AS function_name
FROM pg_trigger g
JOIN pg_class t ON t.oid = g.tgrelid
JOIN pg_namespace n ON n.oid = t.relnamespace
JOIN pg_proc f ON f.oid = g.tgfoid
JOIN pg_namespace fn ON fn.oid = f.pronamespace
WHERE NOT g.tgisinternal
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pgattic')
ORDER BY 1, 2, 3
