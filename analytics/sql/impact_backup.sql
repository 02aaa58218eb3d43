-- The newest backup of the migration that put an element into the attic.
SELECT id, made_at, total_bytes, jsonb_array_length(tables) AS tables
FROM pgattic.backup
WHERE migration_id = %(migration)s
ORDER BY made_at DESC
LIMIT 1
