-- What pg_stat_statements has of this database that says one of some names. The texts of commands such as COPY or
-- ALTER ROLE hold their constants, so they are normalised before anything is kept.
SELECT s.query AS text,
       pg_get_userbyid(s.userid) AS role,
       sum(s.calls)::bigint AS calls,
       sum(s.rows)::bigint AS rows,
       sum(s.total_exec_time)::float8 AS total_ms
FROM {schema}.pg_stat_statements s
WHERE s.dbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
  AND EXISTS (SELECT FROM unnest(%(names)s::text[]) AS wanted(name) WHERE strpos(lower(s.query), lower(wanted.name)) > 0)
GROUP BY 1, 2
