-- Sensors: what pgattic put on elements in the attic, so that the server logs every use of them.

-- One row for each trigger, view or grant, and for each element that wants it: partitions may share a grant.
CREATE TABLE pgattic.sensor (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    migration_id  text NOT NULL,
    position      integer NOT NULL,
    element       text NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('canary', 'trigger', 'grant')),
    object_oid    oid NOT NULL,
    column_number smallint,
    name          name NOT NULL,
    privileges    text[] NOT NULL DEFAULT '{}',
    made_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    made_by       text NOT NULL DEFAULT session_user,
    removed_at    timestamptz,
    removed_by    text,
    FOREIGN KEY (migration_id, position) REFERENCES pgattic.element (migration_id, position)
);

COMMENT ON TABLE pgattic.sensor IS 'What makes the server log uses of an element; armed while removed_at is null';
COMMENT ON COLUMN pgattic.sensor.element IS 'As the lines in the log have it: the former name';
COMMENT ON COLUMN pgattic.sensor.object_oid IS 'OID of the table or view that it is on';
COMMENT ON COLUMN pgattic.sensor.column_number IS 'Of a grant on one column of it';
COMMENT ON COLUMN pgattic.sensor.name IS 'Of the trigger; of the view; of the role that was granted something';

CREATE UNIQUE INDEX sensor_armed ON pgattic.sensor
    (migration_id, position, object_oid, kind, name, coalesce(column_number, 0)) WHERE removed_at IS NULL;
CREATE INDEX sensor_grants ON pgattic.sensor (object_oid) WHERE kind = 'grant';

-- Grants on a table (column 0) or column without ours, as PostgreSQL writes them; null where they are the usual ones.
CREATE FUNCTION pgattic.grants_of_others(object oid, number integer, acl aclitem[], usual aclitem[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH ours AS (
        SELECT r.oid AS role, string_agg(l.letter, '') AS letters
        FROM pgattic.sensor s
        JOIN pg_roles r ON r.rolname = s.name
        JOIN (VALUES ('SELECT', 'r'), ('INSERT', 'a'), ('UPDATE', 'w'), ('DELETE', 'd')) AS l (privilege, letter)
             ON l.privilege = ANY (s.privileges)
        WHERE s.kind = 'grant' AND s.removed_at IS NULL AND s.object_oid = object AND coalesce(s.column_number, 0) = number
        GROUP BY r.oid
    ), item AS (
        SELECT i.position, i.item::text AS whole, o.letters,
               -- A role has quotes around it where it has anything but letters and digits; a star is a grant option.
               regexp_match(i.item::text, '^("(?:[^"]|"")*"|[^"=]*)=([A-Za-z*]*)(/.*)$') AS part
        FROM unnest(acl) WITH ORDINALITY AS i (item, position)
        LEFT JOIN ours o ON o.role = (SELECT x.grantee FROM aclexplode(ARRAY[i.item]) x LIMIT 1)
    ), rest AS (
        SELECT i.position, i.part[1] AS grantee, i.part[3] AS grantor,
               CASE WHEN i.letters IS NULL THEN i.part[2]
                    ELSE regexp_replace(i.part[2], '[' || i.letters || '](?!\*)', '', 'g') END AS privileges
        FROM item i
    )
    SELECT nullif(array_agg(r.grantee || '=' || r.privileges || r.grantor ORDER BY r.position)::text, usual::text)
    FROM rest r
    WHERE r.privileges <> ''
$$;

-- Both run within other people's statements, as whoever runs these, with or without rights on this schema: they
-- look nothing up, write one line to the server's log and never one to the client.
CREATE FUNCTION pgattic.sensor_read(element text) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp SET client_min_messages = error AS $$
BEGIN
    RAISE LOG 'pgattic sensor: read %', element;
    RETURN true;
END
$$;

CREATE FUNCTION pgattic.sensor_write() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET client_min_messages = error AS $$
BEGIN
    RAISE LOG 'pgattic sensor: write %', TG_ARGV[0];
    RETURN NULL;
END
$$;

-- The rights of a function in a view are those of whoever reads it.
GRANT EXECUTE ON FUNCTION pgattic.sensor_read(text) TO PUBLIC;

-- What they cost here: microseconds of a statement without and with one, the best of some rounds. On temporary tables
-- that end with the transaction; the lines that the sensors write stay in the log.
CREATE FUNCTION pgattic.measure_sensors(statements integer, rounds integer)
RETURNS TABLE (kind text, without_us double precision, with_us double precision)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    began timestamptz;
    spent double precision[] := '{}';
BEGIN
    CREATE TEMPORARY TABLE pgattic_plain (id integer, note text) ON COMMIT DROP;
    CREATE TEMPORARY TABLE pgattic_watched (id integer, note text) ON COMMIT DROP;
    CREATE TRIGGER pgattic_sensor BEFORE INSERT ON pgattic_watched
        FOR EACH STATEMENT EXECUTE FUNCTION pgattic.sensor_write('table:pg_temp.pgattic_watched');
    CREATE TEMPORARY VIEW pgattic_shim AS SELECT id, note FROM pgattic_plain;
    CREATE TEMPORARY VIEW pgattic_canary AS SELECT id, note FROM pgattic_plain
        WHERE (SELECT pgattic.sensor_read('table:pg_temp.pgattic_watched'));
    FOR round IN 1 .. rounds LOOP
        began := clock_timestamp();
        FOR i IN 1 .. statements LOOP
            INSERT INTO pgattic_plain VALUES (i, 'note');
        END LOOP;
        spent := spent || extract(epoch FROM clock_timestamp() - began)::double precision;
        began := clock_timestamp();
        FOR i IN 1 .. statements LOOP
            INSERT INTO pgattic_watched VALUES (i, 'note');
        END LOOP;
        spent := spent || extract(epoch FROM clock_timestamp() - began)::double precision;
        began := clock_timestamp();
        FOR i IN 1 .. statements LOOP
            PERFORM id FROM pgattic_shim LIMIT 1;
        END LOOP;
        spent := spent || extract(epoch FROM clock_timestamp() - began)::double precision;
        began := clock_timestamp();
        FOR i IN 1 .. statements LOOP
            PERFORM id FROM pgattic_canary LIMIT 1;
        END LOOP;
        spent := spent || extract(epoch FROM clock_timestamp() - began)::double precision;
    END LOOP;
    RETURN QUERY
        SELECT k.kind, min(p.seconds) * 1e6 / statements, min(w.seconds) * 1e6 / statements
        FROM (VALUES ('trigger', 1), ('canary', 3)) AS k (kind, first)
        JOIN unnest(spent) WITH ORDINALITY AS p (seconds, number) ON p.number % 4 = k.first
        JOIN unnest(spent) WITH ORDINALITY AS w (seconds, number) ON w.number % 4 = (k.first + 1) % 4
        GROUP BY k.kind
        ORDER BY k.kind DESC;
END
$$;
