-- What is in the attic: of one migration, by its former name, renamed after a moment or a time; last renamed first.
SELECT e.migration_id, e.position, e.kind, e.schema_name AS schema, e.parent_name AS parent,
       e.former_name AS name, e.deprecated_name, e.object_oid::bigint AS object_oid, e.column_number,
       e.former_comment, e.integrity, e.shim,
       e.shim_oid::bigint AS shim_oid
FROM pgattic.element e
WHERE e.deprecated_at IS NOT NULL AND e.restored_at IS NULL
  AND (%(migration_id)s::text IS NULL OR e.migration_id = %(migration_id)s)
  AND (%(after)s::bigint IS NULL OR e.moment > %(after)s)
  AND (%(since)s::timestamptz IS NULL OR e.deprecated_at > %(since)s)
  AND (%(kind)s::text IS NULL
       OR (e.kind, e.schema_name::text, coalesce(e.parent_name, '')::text, e.former_name::text)
          = (%(kind)s, %(schema)s, coalesce(%(parent)s, ''), %(name)s))
ORDER BY e.moment DESC, e.migration_id DESC, e.position DESC
