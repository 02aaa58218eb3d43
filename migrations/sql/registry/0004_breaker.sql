-- The circuit breaker: while a row is not reset, every change of this database is refused, by every process.
CREATE TABLE pgattic.breaker (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reason    text NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    opened_by text NOT NULL DEFAULT session_user,
    reset_at  timestamptz,
    reset_by  text,
    because   text,
    CHECK ((reset_at IS NULL) = (because IS NULL) AND (reset_at IS NULL) = (reset_by IS NULL))
);

COMMENT ON TABLE pgattic.breaker IS 'Each time the circuit breaker opened; open while reset_at is null';

-- It is open once: what goes wrong while it is open does not hide the first reason.
CREATE UNIQUE INDEX breaker_open ON pgattic.breaker ((true)) WHERE reset_at IS NULL;

-- Changes that gave up waiting for a lock since the last one that succeeded.
CREATE TABLE pgattic.lock_failure (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject   text NOT NULL,
    failed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

COMMENT ON TABLE pgattic.lock_failure IS 'Changes that gave up waiting for a lock since the last one that succeeded';
