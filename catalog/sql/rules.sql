-- Rewrite rules, those that make views among them, as the statements that define them.
SELECT n.nspname AS schema,
       c.relname AS relation,
       r.rulename AS name,
       pg_get_ruledef(r.oid) AS definition
FROM pg_rewrite r
JOIN pg_class c ON c.oid = r.ev_class
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE r.ev_enabled <> 'D'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pgattic')
  AND n.nspname !~ '^pg_(toast|temp)'
ORDER BY 1, 2, 3
