-- What this server has counted of each table, materialized view, index and sequence of the database.
-- to_jsonb() reads last_seq_scan and last_idx_scan where they exist (PostgreSQL 16 and newer). What partitioned
-- tables count says nothing: reads and writes count on the partitions.
SELECT CASE c.relkind WHEN 'm' THEN 'matview' ELSE 'table' END AS kind,
       t.schemaname AS schema,
       t.relname AS name,
       t.relid::bigint AS oid,
       coalesce(t.seq_scan, 0) + coalesce(t.idx_scan, 0) AS reads,
       coalesce(t.n_tup_ins, 0) + coalesce(t.n_tup_upd, 0) + coalesce(t.n_tup_del, 0) AS writes,
       greatest((to_jsonb(t) ->> 'last_seq_scan')::timestamptz, (to_jsonb(t) ->> 'last_idx_scan')::timestamptz)
           AS last_read_at,
       pg_stat_get_blocks_fetched(t.relid)
           + coalesce((SELECT sum(pg_stat_get_blocks_fetched(i.indexrelid)) FROM pg_index i WHERE i.indrelid = t.relid),
                      0)::bigint AS blocks,
       t.vacuum_count + t.autovacuum_count + t.analyze_count + t.autoanalyze_count AS maintenance,
       -- A standby's is that of the primary, which has counted what made it already.
       CASE WHEN NOT pg_is_in_recovery() THEN c.relfilenode::bigint END AS filenode,
       io.heap_blks_read AS heap_read,
       io.heap_blks_hit AS heap_hit,
       t.n_dead_tup AS dead_rows
FROM pg_stat_user_tables t
JOIN pg_class c ON c.oid = t.relid AND c.relkind <> 'p'
LEFT JOIN pg_statio_user_tables io ON io.relid = t.relid
WHERE t.schemaname <> 'pgattic'
UNION ALL
-- Blocks of an index are no use of it: planning reads them, too.
SELECT 'index', i.schemaname, i.indexrelname, i.indexrelid::bigint, coalesce(i.idx_scan, 0), 0,
       (to_jsonb(i) ->> 'last_idx_scan')::timestamptz, NULL, NULL, NULL, io.idx_blks_read, io.idx_blks_hit, NULL
FROM pg_stat_user_indexes i
LEFT JOIN pg_statio_user_indexes io ON io.indexrelid = i.indexrelid
WHERE i.schemaname <> 'pgattic'
UNION ALL
-- A sequence is one block, which is fetched whenever somebody takes a value of it or reads it.
SELECT 'sequence', s.schemaname, s.relname, s.relid::bigint, s.blks_read + s.blks_hit, 0,
       NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM pg_statio_user_sequences s
WHERE s.schemaname <> 'pgattic'
ORDER BY 4
