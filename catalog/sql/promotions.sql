-- When this server became a primary, each time, at the latest: it wrote the history of its timeline then, and the
-- whole second is told. Needs the rights of pg_monitor.
SELECT w.modification + interval '1 second' AS at
FROM pg_ls_waldir() w
WHERE w.name ~ '^[0-9A-F]{8}\.history$'
ORDER BY 1
