-- How many blocks of shared_buffers a relation holds, with its partitions, TOAST and indexes.
-- {buffercache} is the view of the extension pg_buffercache, wherever that is installed.
WITH part AS (
    SELECT relid::oid AS oid FROM pg_partition_tree(%(oid)s::oid::regclass)
    UNION
    SELECT %(oid)s::oid
),
whole AS (
    SELECT oid FROM part
    UNION
    SELECT c.reltoastrelid FROM pg_class c JOIN part USING (oid) WHERE c.reltoastrelid <> 0
),
piece AS (
    SELECT oid FROM whole
    UNION
    SELECT i.indexrelid FROM pg_index i JOIN whole w ON w.oid = i.indrelid
)
SELECT count(*) FILTER (WHERE b.relfilenode IN (SELECT pg_relation_filenode(oid) FROM piece)
                          AND b.reldatabase = (SELECT oid FROM pg_database WHERE datname = current_database()))
                                                       AS blocks,
       count(*)                                        AS all_blocks
FROM {buffercache} b
