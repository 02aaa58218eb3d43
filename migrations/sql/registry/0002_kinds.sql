-- More kinds of elements, and the views that keep former names working (shims).
ALTER TABLE pgattic.element DROP CONSTRAINT element_kind_check;
ALTER TABLE pgattic.element ADD CONSTRAINT element_kind_check CHECK (kind IN (
    'table', 'column', 'index', 'constraint', 'enum', 'enum_value', 'view', 'matview', 'sequence'
));

ALTER TABLE pgattic.element ADD COLUMN shim jsonb, ADD COLUMN shim_oid oid;

COMMENT ON COLUMN pgattic.element.object_oid IS 'OID of the element; of the table, for a column';
COMMENT ON COLUMN pgattic.element.shim IS 'The view that keeps the former name working, as the plan has it';
COMMENT ON COLUMN pgattic.element.shim_oid IS 'OID of that view: no other is ever dropped; several columns share one';

-- OIDs are unique within one system catalog only, so the kind belongs to the key.
DROP INDEX pgattic.element_in_attic;
CREATE UNIQUE INDEX element_in_attic ON pgattic.element
    (object_oid, coalesce(column_number, 0), kind) WHERE deprecated_at IS NOT NULL AND restored_at IS NULL;
CREATE INDEX element_shim ON pgattic.element (shim_oid) WHERE shim_oid IS NOT NULL;
