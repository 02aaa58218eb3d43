-- What keeping an index costs: its size, its table's writes, and which of its columns no other index has.
SELECT pg_relation_size(i.indexrelid)                                    AS bytes,
       a.amname                                                          AS method,
       current_setting('server_version_num')::int >= 160000             AS brin_allows_hot,
       si.idx_scan                                                       AS scans,
       st.n_tup_ins                                                      AS inserts,
       st.n_tup_upd                                                      AS updates,
       st.n_tup_hot_upd                                                  AS hot_updates,
       (SELECT count(*) FROM pg_index o WHERE o.indrelid = i.indrelid)   AS indexes_of_table,
       i.indexprs IS NOT NULL OR i.indpred IS NOT NULL                   AS has_expressions,
       (SELECT coalesce(array_agg(t.attname::text ORDER BY t.attnum), '{}')
        FROM pg_attribute t
        WHERE t.attrelid = i.indrelid
          AND t.attnum = ANY (i.indkey)
          AND NOT EXISTS (SELECT FROM pg_index o
                          JOIN pg_class oc ON oc.oid = o.indexrelid
                          JOIN pg_am oa ON oa.oid = oc.relam
                          WHERE o.indrelid = i.indrelid
                            AND o.indexrelid <> i.indexrelid
                            AND (oa.amname <> 'brin' OR current_setting('server_version_num')::int < 160000)
                            AND t.attnum = ANY (o.indkey)))             AS only_here,
       -- Statistics survive a restart, but no crash: that one sets both of the server's own.
       (SELECT greatest(d.stats_reset, least(a.stats_reset, b.stats_reset))
        FROM pg_stat_database d, pg_stat_archiver a, pg_stat_bgwriter b
        WHERE d.datname = current_database())        AS counting_since
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_am a ON a.oid = c.relam
LEFT JOIN pg_stat_all_indexes si ON si.indexrelid = i.indexrelid
LEFT JOIN pg_stat_all_tables st ON st.relid = i.indrelid
WHERE i.indexrelid = %(oid)s
