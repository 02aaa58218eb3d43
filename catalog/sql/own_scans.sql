-- Scans of tables that pgattic itself made: for backups (one for the dump, one for the fingerprint), and where a
-- rollback compared rows. `at` is when they began.
SELECT (t ->> 'oid')::bigint AS oid, b.made_at AS at, 2 AS scans
FROM pgattic.backup b, jsonb_array_elements(b.tables) AS t
UNION ALL
SELECT relation::bigint, at, scans::integer
FROM pgattic.own_scan
ORDER BY 1, 2
