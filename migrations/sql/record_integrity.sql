-- Keeps with elements that were just renamed what identifies their data.
UPDATE pgattic.element e
SET integrity = r.integrity
FROM jsonb_to_recordset(%(rows)s) AS r (oid oid, column_number smallint, integrity jsonb)
WHERE e.migration_id = %(migration_id)s AND e.restored_at IS NULL
  AND e.object_oid = r.oid AND coalesce(e.column_number, 0) = coalesce(r.column_number, 0)
