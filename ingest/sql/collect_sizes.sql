-- The sizes of some tables (with TOAST and indexes) and indexes. Waits where somebody holds an exclusive lock.
SELECT c.oid::bigint AS oid,
       CASE WHEN c.relkind IN ('i', 'I') THEN pg_relation_size(c.oid) ELSE pg_total_relation_size(c.oid) END AS bytes
FROM pg_class c
WHERE c.oid = ANY (%(oids)s::oid[])
