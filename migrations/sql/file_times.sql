-- When the files of tables and indexes were last written: before that, they existed.
SELECT c.oid::bigint AS oid, (pg_stat_file(pg_relation_filepath(c.oid), true)).modification AS written_at
FROM pg_class c
WHERE c.oid = ANY(%(oids)s::oid[]) AND c.relkind IN ('r', 'i', 'm', 'S')
