-- Inserts all elements of a migration as deprecated.
INSERT INTO pgattic.element
    (migration_id, position, kind, schema_name, parent_name, former_name, deprecated_name, object_oid,
     column_number, former_comment, counters, deprecated_at)
SELECT %(migration_id)s, r.position, r.kind, r.schema, r.parent, r.former_name, r.deprecated_name, r.oid,
       r.column_number, r.comment, r.counters, now()
FROM jsonb_to_recordset(%(rows)s) AS r (
    position integer, kind text, schema text, parent text, former_name text, deprecated_name text, oid oid,
    column_number smallint, comment text, counters jsonb
)
