-- The size of a column as the planner's statistics have it; nothing where it was never analysed, or this role may
-- not read the column.
SELECT (s.avg_width * (1 - s.null_frac) * greatest(c.reltuples, 0))::bigint AS bytes
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_stats s ON (s.schemaname, s.tablename, s.attname) = (n.nspname, c.relname, %(column)s::name)
WHERE c.oid = %(oid)s
ORDER BY s.inherited
LIMIT 1
