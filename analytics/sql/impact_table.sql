-- What keeping a table (with its partitions) or materialized view costs. Figures that a server does not have are
-- null: to_jsonb() reads the times of vacuum where they exist (PostgreSQL 18 and newer).
WITH part AS (
    SELECT relid::oid AS oid FROM pg_partition_tree(%(oid)s::oid::regclass)
    UNION
    SELECT %(oid)s::oid
)
SELECT sum(pg_relation_size(c.oid))::bigint                                           AS heap_bytes,
       coalesce(sum(pg_total_relation_size(nullif(c.reltoastrelid, 0))), 0)::bigint   AS toast_bytes,
       sum(pg_indexes_size(c.oid))::bigint                                            AS index_bytes,
       sum(pg_total_relation_size(c.oid))::bigint                                     AS total_bytes,
       sum(s.n_live_tup)::bigint                                                      AS live_rows,
       sum(s.n_dead_tup)::bigint                                                      AS dead_rows,
       sum(s.n_tup_ins)::bigint                                                       AS inserts,
       sum(s.n_tup_upd)::bigint                                                       AS updates,
       sum(s.n_tup_hot_upd)::bigint                                                   AS hot_updates,
       sum(s.n_tup_del)::bigint                                                       AS deletes,
       sum(s.vacuum_count + s.autovacuum_count)::bigint                               AS vacuums,
       sum((to_jsonb(s) ->> 'total_vacuum_time')::float8
           + (to_jsonb(s) ->> 'total_autovacuum_time')::float8)                       AS vacuum_ms,
       -- Statistics survive a restart, but no crash: that one sets both of the server's own.
       (SELECT greatest(d.stats_reset, least(a.stats_reset, b.stats_reset))
        FROM pg_stat_database d, pg_stat_archiver a, pg_stat_bgwriter b
        WHERE d.datname = current_database())                     AS counting_since
FROM part p
JOIN pg_class c ON c.oid = p.oid AND c.relkind IN ('r', 'm')
LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
