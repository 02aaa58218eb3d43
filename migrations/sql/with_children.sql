-- Some tables with their partitions and inheriting tables, however deep.
WITH RECURSIVE family (oid) AS (
    SELECT unnest(%(tables)s::oid[])
    UNION
    SELECT i.inhrelid FROM family f JOIN pg_inherits i ON i.inhparent = f.oid
)
SELECT n.nspname::text AS schema, c.relname::text AS name
FROM family f
JOIN pg_class c ON c.oid = f.oid
JOIN pg_namespace n ON n.oid = c.relnamespace
ORDER BY 1, 2
