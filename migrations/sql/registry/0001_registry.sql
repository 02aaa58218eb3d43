-- The registry: what pgattic did to this database. It commits in the same transaction as the renames.
CREATE TABLE pgattic.migration (
    id             text PRIMARY KEY,
    state          text NOT NULL CHECK (state IN ('planned', 'executed', 'rolled_back', 'failed')),
    phase          text NOT NULL DEFAULT 'deprecation' CHECK (phase = 'deprecation'),
    reason         text NOT NULL,
    plan           jsonb NOT NULL,
    plan_hash      text NOT NULL,
    applied_by     text NOT NULL DEFAULT session_user,
    applied_at     timestamptz,
    rolled_back_at timestamptz,
    failure        text
);

COMMENT ON TABLE pgattic.migration IS 'One batch of deprecations, applied and rolled back as one';

CREATE TABLE pgattic.element (
    migration_id    text NOT NULL REFERENCES pgattic.migration (id),
    position        integer NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('table', 'column', 'index', 'constraint', 'enum')),
    schema_name     name NOT NULL,
    parent_name     name,
    former_name     name NOT NULL,
    deprecated_name name NOT NULL,
    object_oid      oid NOT NULL,
    column_number   smallint,
    former_comment  text,
    counters        jsonb,
    deprecated_at   timestamptz,
    restored_at     timestamptz,
    PRIMARY KEY (migration_id, position)
);

COMMENT ON TABLE pgattic.element IS 'One element of a migration; in the attic while restored_at is null';
COMMENT ON COLUMN pgattic.element.object_oid IS 'OID of the element; of the table, for a column';
COMMENT ON COLUMN pgattic.element.counters IS 'Activity counters at the rename, to compare later ones with';

-- An element is in the attic once.
CREATE UNIQUE INDEX element_in_attic ON pgattic.element
    (object_oid, coalesce(column_number, 0)) WHERE deprecated_at IS NOT NULL AND restored_at IS NULL;

CREATE TABLE pgattic.backup (
    id            text PRIMARY KEY,
    migration_id  text NOT NULL,
    directory     text NOT NULL,
    made_at       timestamptz NOT NULL,
    proved_at     timestamptz,
    tables        jsonb NOT NULL,
    total_bytes   bigint NOT NULL
);

COMMENT ON TABLE pgattic.backup IS 'Backups made for migrations; proved_at is set when a restore gave the same rows';
