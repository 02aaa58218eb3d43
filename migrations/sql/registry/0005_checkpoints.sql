-- Checkpoints, the order of things, and what identifies the data behind an element.

-- Numbers changes and checkpoints. It is only drawn from while holding the turn (registry.take_turn), so a
-- greater number always means: committed later.
CREATE SEQUENCE pgattic.moment;

ALTER TABLE pgattic.element
    ADD COLUMN moment bigint,
    ADD COLUMN integrity jsonb;

UPDATE pgattic.element e
SET moment = o.moment
FROM (SELECT migration_id, position,
             nextval('pgattic.moment') AS moment
      FROM (SELECT * FROM pgattic.element ORDER BY deprecated_at, migration_id, position) AS sorted) AS o
WHERE (e.migration_id, e.position) = (o.migration_id, o.position);

ALTER TABLE pgattic.element
    ALTER COLUMN moment SET DEFAULT nextval('pgattic.moment'),
    ALTER COLUMN moment SET NOT NULL;

COMMENT ON COLUMN pgattic.element.moment IS 'When it was renamed in the order of all changes and checkpoints';
COMMENT ON COLUMN pgattic.element.integrity IS 'What identified its data at the rename, to compare with at its rollback';

CREATE TABLE pgattic.checkpoint (
    name       text PRIMARY KEY CHECK (name <> ''),
    note       text,
    moment     bigint NOT NULL UNIQUE DEFAULT nextval('pgattic.moment'),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by text NOT NULL DEFAULT session_user
);

COMMENT ON TABLE pgattic.checkpoint IS 'Named moments to roll back to; what was renamed later has a greater moment';

-- Scans that pgattic made itself while it compared rows after a rollback: they are nobody's use.
CREATE TABLE pgattic.own_scan (
    relation oid NOT NULL,
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    scans    integer NOT NULL
);
