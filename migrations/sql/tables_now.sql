-- Tables as they are now, with the partitions and inheriting tables that hold rows of theirs. Locks them for reading.
WITH RECURSIVE parts AS (
    SELECT oid AS root, oid AS part FROM pg_class WHERE oid = ANY (%(oids)s::oid[]) AND relkind IN ('r', 'p', 'm')
    UNION
    SELECT p.root, i.inhrelid FROM parts p JOIN pg_inherits i ON i.inhparent = p.part
)
SELECT p.root::bigint AS oid, n.nspname AS schema, c.relname AS name,
       row_security_active(p.root) AS rows_hidden,
       array_agg(p.part::bigint) AS parts,
       sum(pg_relation_size(p.part))::bigint AS bytes,
       sum(greatest(l.reltuples, 0))::bigint AS estimated_rows
FROM parts p JOIN pg_class c ON c.oid = p.root JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class l ON l.oid = p.part
GROUP BY p.root, n.nspname, c.relname
ORDER BY 2, 3
