-- The sequences of which a dump of the rows of some tables reads the last value: before PostgreSQL 18 those that
-- belong to columns of these tables, their partitions and inheriting tables, from 18 on every one that the role may read.
WITH RECURSIVE family (oid) AS (
    SELECT unnest(%(tables)s::oid[])
    UNION
    SELECT i.inhrelid FROM family f JOIN pg_inherits i ON i.inhparent = f.oid
)
SELECT s.seqrelid::bigint AS oid
FROM pg_sequence s
JOIN pg_class c ON c.oid = s.seqrelid
WHERE has_sequence_privilege(s.seqrelid, 'SELECT')
  AND c.relpersistence <> 't'
  AND (current_setting('server_version_num')::integer >= 180000
       OR EXISTS (SELECT
                  FROM pg_depend d
                  WHERE d.classid = 'pg_class'::regclass
                    AND d.objid = s.seqrelid
                    AND d.refclassid = 'pg_class'::regclass
                    AND d.refobjsubid > 0
                    AND d.deptype IN ('a', 'i')
                    AND d.refobjid IN (SELECT f.oid FROM family f)))
ORDER BY 1
