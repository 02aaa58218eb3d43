-- The file that the server writes its log of a format to, if anything is in it; needs the rights of pg_monitor.
SELECT l.name
FROM pg_ls_logdir() l
WHERE l.size > 0
  AND l.name = regexp_replace(pg_current_logfile(%(format)s), '^.*/', '')
