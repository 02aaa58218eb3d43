-- Inserts sensors that were made earlier in this transaction.
INSERT INTO pgattic.sensor (migration_id, position, element, kind, object_oid, column_number, name, privileges)
SELECT r.migration_id, r.position, r.element, r.kind, r.object_oid, r.column_number, r.name, r.privileges
FROM jsonb_to_recordset(%(rows)s) AS r (
    migration_id text, position integer, element text, kind text, object_oid oid, column_number smallint, name text,
    privileges text[]
)
