-- Activity counters of tables and indexes since the statistics were last reset.
-- to_jsonb() reads last_seq_scan and last_idx_scan where they exist (PostgreSQL 16 and newer).
SELECT 'table' AS kind,
       t.schemaname AS schema,
       t.relname AS name,
       t.relid::bigint AS oid,
       coalesce(t.seq_scan, 0) + coalesce(t.idx_scan, 0) AS reads,
       coalesce(t.n_tup_ins, 0) + coalesce(t.n_tup_upd, 0) + coalesce(t.n_tup_del, 0) AS writes,
       greatest((to_jsonb(t) ->> 'last_seq_scan')::timestamptz, (to_jsonb(t) ->> 'last_idx_scan')::timestamptz) AS last_read_at
FROM pg_stat_user_tables t
-- What partitioned tables count says nothing: reads and writes count on the partitions.
WHERE t.schemaname <> 'pgattic' AND (SELECT relkind FROM pg_class WHERE oid = t.relid) <> 'p'
UNION ALL
SELECT 'index', i.schemaname, i.indexrelname, i.indexrelid::bigint, coalesce(i.idx_scan, 0), 0,
       (to_jsonb(i) ->> 'last_idx_scan')::timestamptz
FROM pg_stat_user_indexes i
WHERE i.schemaname <> 'pgattic'
ORDER BY 1, 2, 3
