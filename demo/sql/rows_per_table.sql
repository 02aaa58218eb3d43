-- How many rows each table of the shop has, as the last ANALYZE counted them.
SELECT c.relname AS name, c.reltuples::bigint AS rows
FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
ORDER BY 1
