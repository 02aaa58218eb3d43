-- The audit trail: one row for each decision and operation, chained by hashes, never changed or removed.
CREATE TABLE pgattic.audit (
    sequence  bigint PRIMARY KEY CHECK (sequence > 0),
    prev_hash text NOT NULL UNIQUE,
    hash      text NOT NULL UNIQUE,
    entry     text NOT NULL
);

COMMENT ON TABLE pgattic.audit IS 'Append-only: hash = sha256(prev_hash, newline, entry), in UTF-8; `pgattic audit verify` checks it';
COMMENT ON COLUMN pgattic.audit.entry IS 'JSON, kept and hashed as these very characters; times are text in it';
COMMENT ON COLUMN pgattic.audit.prev_hash IS 'Hash of the row before; unique, so that the chain cannot fork';

CREATE FUNCTION pgattic.keep_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is append-only: % refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER keep_audit BEFORE UPDATE OR DELETE OR TRUNCATE ON pgattic.audit
    FOR EACH STATEMENT EXECUTE FUNCTION pgattic.keep_audit();
-- Also where session_replication_role is replica.
ALTER TABLE pgattic.audit ENABLE ALWAYS TRIGGER keep_audit;
REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON pgattic.audit FROM PUBLIC;
REVOKE UPDATE, DELETE, TRUNCATE ON pgattic.audit FROM CURRENT_USER;

-- One writer at a time, to the end of its transaction. A timeout of its own, as a rename may hold it for a while.
CREATE FUNCTION pgattic.lock_audit() RETURNS void
LANGUAGE plpgsql SET lock_timeout = '10s' AS $$
BEGIN
    PERFORM pg_catalog.pg_advisory_xact_lock(8099549607646290785);
END
$$;

-- The server says who and when. Whoever may use the schema may append, with this function alone.
CREATE FUNCTION pgattic.append_audit(event text, subject text, detail text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    last_sequence bigint;
    last_hash     text;
    next_entry    text;
BEGIN
    PERFORM pgattic.lock_audit();
    -- After the lock, and so with a snapshot that sees what the last writer committed.
    SELECT a.sequence, a.hash INTO last_sequence, last_hash FROM pgattic.audit a ORDER BY a.sequence DESC LIMIT 1;
    last_sequence := coalesce(last_sequence, 0);
    last_hash := coalesce(last_hash, repeat('0', 64));
    next_entry := format(
        '{"sequence":%s,"at":%s,"event":%s,"subject":%s,"role":%s,"client":%s,"database":%s,"detail":%s}',
        last_sequence + 1,
        to_json(to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')),
        to_json(event), to_json(subject), to_json(session_user::text), coalesce(to_json(host(inet_client_addr())), 'null'),
        to_json(current_database()::text), detail::json
    );
    INSERT INTO pgattic.audit (sequence, prev_hash, hash, entry)
    VALUES (
        last_sequence + 1, last_hash,
        encode(sha256(convert_to(last_hash || E'\n' || next_entry, 'UTF8')), 'hex'),
        next_entry
    );
    RETURN last_sequence + 1;
END
$$;
