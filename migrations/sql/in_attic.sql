-- The elements of one migration, or one element by its former name, that are in the attic; last renamed first.
SELECT e.migration_id, e.position, e.kind, e.schema_name AS schema, e.parent_name AS parent,
       e.former_name AS name, e.deprecated_name, e.object_oid::bigint AS object_oid, e.column_number,
       e.former_comment
FROM pgattic.element e
WHERE e.deprecated_at IS NOT NULL AND e.restored_at IS NULL
  AND (%(migration_id)s::text IS NULL OR e.migration_id = %(migration_id)s)
  AND (%(kind)s::text IS NULL
       OR (e.kind, e.schema_name::text, coalesce(e.parent_name, '')::text, e.former_name::text)
          = (%(kind)s, %(schema)s, coalesce(%(parent)s, ''), %(name)s))
ORDER BY e.deprecated_at DESC, e.migration_id DESC, e.position DESC
FOR UPDATE
