-- Every element that is or was in the attic of this database.
SELECT e.kind,
       e.schema_name AS schema,
       e.parent_name AS parent,
       e.former_name AS name,
       e.deprecated_name,
       e.migration_id,
       e.position,
       m.reason,
       m.plan ->> 'database' AS database,
       e.object_oid::bigint AS object_oid,
       e.counters AS baseline,
       e.deprecated_at,
       e.restored_at,
       -- A registry of the first version has no shims.
       (to_jsonb(e) ->> 'shim_oid')::bigint AS shim_oid,
       (SELECT max(b.proved_at) FROM pgattic.backup b WHERE b.migration_id = e.migration_id) AS backup_proved_at
FROM pgattic.element e
JOIN pgattic.migration m ON m.id = e.migration_id
WHERE e.deprecated_at IS NOT NULL
ORDER BY e.deprecated_at, e.migration_id, e.position
