-- Inserts all elements of a migration as deprecated.
INSERT INTO pgattic.element
    (migration_id, position, kind, schema_name, parent_name, former_name, deprecated_name, object_oid,
     column_number, former_comment, counters, shim, shim_oid, deprecated_at)
SELECT %(migration_id)s, r.position, r.kind, r.schema, r.parent, r.former_name, r.deprecated_name, r.oid,
       r.column_number, r.comment, r.counters, r.shim,
       -- The view was made earlier in this transaction.
       (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = r.shim ->> 'schema' AND c.relname = r.shim ->> 'name' AND c.relkind = 'v'),
       now()
FROM jsonb_to_recordset(%(rows)s) AS r (
    position integer, kind text, schema text, parent text, former_name text, deprecated_name text, oid oid,
    column_number smallint, comment text, counters jsonb, shim jsonb
)
-- The moments are drawn in this order.
ORDER BY r.position
