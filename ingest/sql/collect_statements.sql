-- What pg_stat_statements has counted in this database, and resets of some of its entries from any. The texts of
-- commands such as COPY or ALTER ROLE hold their constants, so they are normalised before anything is kept.
SELECT s.queryid AS number,
       s.toplevel AS is_top,
       pg_get_userbyid(s.userid)::text AS role,
       s.dbid = d.oid AS is_here,
       s.query AS text,
       s.calls,
       s.rows,
       s.total_exec_time AS total_ms
FROM {schema}.pg_stat_statements s
JOIN pg_database d ON d.datname = current_database()
WHERE s.calls > 0
  AND (s.dbid = d.oid OR strpos(s.query, 'pg_stat_statements_reset') > 0)
