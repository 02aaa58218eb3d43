-- Approvals of plans by other roles than the one that applies them.
CREATE TABLE pgattic.approval (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan_hash   text NOT NULL,
    plan_id     text NOT NULL,
    approved_by text NOT NULL,
    approved_at timestamptz NOT NULL,
    note        text
);

CREATE INDEX approval_of_plan ON pgattic.approval (plan_hash);

COMMENT ON TABLE pgattic.approval IS 'Who approved which plan, bound to the hash of all that was reviewed';

-- Who approves, and when, is said by the server and never by the client.
CREATE FUNCTION pgattic.stamp_approval() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.approved_by := session_user;
    NEW.approved_at := clock_timestamp();
    RETURN NEW;
END
$$;

CREATE TRIGGER stamp_approval BEFORE INSERT ON pgattic.approval
    FOR EACH ROW EXECUTE FUNCTION pgattic.stamp_approval();

CREATE FUNCTION pgattic.keep_approval() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'approvals are never changed or removed' USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER keep_approval BEFORE UPDATE OR DELETE OR TRUNCATE ON pgattic.approval
    FOR EACH STATEMENT EXECUTE FUNCTION pgattic.keep_approval();
-- Also where session_replication_role is replica.
ALTER TABLE pgattic.approval ENABLE ALWAYS TRIGGER stamp_approval;
ALTER TABLE pgattic.approval ENABLE ALWAYS TRIGGER keep_approval;
