"""Every kind of access to every kind of element, as data: what is set up, and the use.

`{x}` is a word of its own for each row, `{new}` the deprecated name of its element, quoted, `{label}` that name as a
literal. Which source sees which row at which level stands in docs/visibility.md, and is checked.
"""

# No statement gives a relation an alias: PostgreSQL 18 counts calls of what has the same aliases together.
# A row of a table is read best on one line.
# ruff: noqa: E501

from dataclasses import dataclass

from catalog.elements import Element, Kind

TABLE = "CREATE TABLE {x}_t (id int PRIMARY KEY, {x}_c int);INSERT INTO {x}_t SELECT g, g FROM generate_series(1, 20) g"
VIEW = "CREATE TABLE {x}_b (id int);CREATE VIEW {x}_v AS SELECT id FROM {x}_b"
MATVIEW = "CREATE TABLE {x}_b (id int);CREATE MATERIALIZED VIEW {x}_m AS SELECT id FROM {x}_b"
FILLED = MATVIEW.replace(";", ";INSERT INTO {x}_b SELECT generate_series(1, 20);")
BARE = "CREATE TABLE {x}_t (id int, {x}_c int);INSERT INTO {x}_t SELECT g, g FROM generate_series(1, 20) g"
INDEX = TABLE + ";CREATE INDEX {x}_i ON {x}_t ({x}_c)"
UNIQUE_INDEX = INDEX.replace("CREATE INDEX", "CREATE UNIQUE INDEX")
CHECK = TABLE + ";ALTER TABLE {x}_t ADD CONSTRAINT {x}_k CHECK ({x}_c > 0)"
PRIMARY = TABLE.replace("id int PRIMARY KEY", "id int CONSTRAINT {x}_k PRIMARY KEY")
DEFERRED = TABLE + ";ALTER TABLE {x}_t ADD CONSTRAINT {x}_k UNIQUE ({x}_c) DEFERRABLE"
EXCLUSION = TABLE + ";ALTER TABLE {x}_t ADD CONSTRAINT {x}_k EXCLUDE USING btree ({x}_c WITH =)"
UNIQUE = TABLE + ";ALTER TABLE {x}_t ADD CONSTRAINT {x}_k UNIQUE ({x}_c)"
ENUM = "CREATE TYPE {x}_e AS ENUM ('{x}_a', '{x}_z')"
HELD = ENUM + ";CREATE TABLE {x}_u (e {x}_e)"
SEQUENCE = "CREATE SEQUENCE {x}_s"
# With trigger functions and DO blocks no text in the catalog names the table: only its OID does.
BY_OID = "CREATE TABLE {x}_o AS SELECT '{x}_t'::regclass::oid AS at"

_PATHS = {
    Kind.TABLE: "public.{x}_t",
    Kind.COLUMN: "public.{x}_t.{x}_c",
    Kind.INDEX: "public.{x}_i",
    Kind.CONSTRAINT: "public.{x}_t.{x}_k",
    Kind.ENUM: "public.{x}_e",
    Kind.ENUM_VALUE: "public.{x}_e.{x}_a",
    Kind.VIEW: "public.{x}_v",
    Kind.MATVIEW: "public.{x}_m",
    Kind.SEQUENCE: "public.{x}_s",
}


# Why a use is seen by nobody at some level, so that the verdict can be "ready" there; nothing else may be.
_CAUGHT = "the error is caught, or none is made: nothing is logged, and a removal changes nothing for it"
_ABOUT = (
    "it locks or defines the element by its deprecated name and does nothing with it:"
    " without the element there is nothing to do"
)
_WHOLE = "rows go as a whole: the column is not used, and a removal of it changes nothing"


@dataclass(frozen=True)
class Row:
    """One kind of access to one kind of element.

    `before` runs in the same session before the rename; `blind` says why nobody may see the use.
    """

    kind: Kind
    access: str
    setup: str
    use: str
    before: str = ""
    soft: bool = False
    role: str = "visitor"
    blind: str = ""

    def element(self, word: str) -> Element:
        """The element of this row under its former name."""
        return Element.parse(f"{self.kind}:{_PATHS[self.kind].format(x=word)}")

    @property
    def is_counted(self) -> bool:
        """Whether counters can speak for it: those of a partitioned table say nothing."""
        return "PARTITION BY" not in self.setup or self.kind is Kind.CONSTRAINT

    @property
    def is_planned_visibly(self) -> bool:
        """Whether its table has an index that the planner looks at."""
        return "PRIMARY KEY" in self.setup

    @property
    def is_opaque(self) -> bool:
        """Whether a statement of it may use anything, so that texts of statements prove nothing any more."""
        return any(sign in self.setup + self.use for sign in ("DO $$", "EXECUTE '", "format(", "copies("))


def _in_do(table: str) -> str:
    return f"DO $$ BEGIN PERFORM 1 FROM {table}; EXCEPTION WHEN undefined_table THEN NULL; END $$"


T, C, I, K, E, L, V, M, S = (  # noqa: E741
    Kind.TABLE, Kind.COLUMN, Kind.INDEX, Kind.CONSTRAINT, Kind.ENUM, Kind.ENUM_VALUE, Kind.VIEW, Kind.MATVIEW,
    Kind.SEQUENCE,
)  # fmt: skip
_PARTED = (
    "CREATE TABLE {x}_t (id int, {x}_c int) PARTITION BY RANGE (id);"
    "CREATE TABLE {x}_p PARTITION OF {x}_t FOR VALUES FROM (0) TO (100);INSERT INTO {x}_t VALUES (1, 1)"
)
_USER_OF = "CREATE TABLE {x}_u (id int);INSERT INTO {x}_u VALUES (1)"
_REFERRED = _USER_OF + ";ALTER TABLE {x}_u ADD PRIMARY KEY (id)"
_FOREIGN_KEY = (
    _REFERRED + ";CREATE TABLE {x}_t (u int);"
    "ALTER TABLE {x}_t ADD CONSTRAINT {x}_k FOREIGN KEY (u) REFERENCES {x}_u"
)

ROWS = (
    # Tables
    Row(T, "former name", TABLE, "SELECT id FROM {x}_t"),
    Row(T, "former name, INSERT", TABLE, "INSERT INTO {x}_t VALUES (90, 1)"),
    Row(T, "former name in a function", TABLE + ";CREATE FUNCTION {x}_f() RETURNS bigint LANGUAGE plpgsql AS"
         " $$ BEGIN RETURN (SELECT count(*) FROM {x}_t); END $$", "SELECT {x}_f()"),
    Row(T, "former name in dynamic SQL", TABLE, "DO $$ BEGIN EXECUTE 'SELECT 1 FROM {x}' || '_t'; END $$"),
    Row(T, "former name, error swallowed in a function", TABLE + ";CREATE FUNCTION {x}_f() RETURNS void LANGUAGE"
         " plpgsql AS $$ BEGIN PERFORM 1 FROM {x}_t; EXCEPTION WHEN undefined_table THEN NULL; END $$",
         "SELECT {x}_f()"),
    Row(T, "former name, error swallowed in DO", TABLE, _in_do("{x}_t"), blind=_CAUGHT),
    Row(T, "former name, prepared before the rename", TABLE, "EXECUTE {x}_q",
         before="PREPARE {x}_q AS SELECT id FROM {x}_t;EXECUTE {x}_q"),
    Row(T, "former name, to_regclass", TABLE, "SELECT to_regclass('{x}_t')", blind=_CAUGHT),
    Row(T, "former name, IF EXISTS", TABLE, "ALTER TABLE IF EXISTS {x}_t SET (fillfactor = 90)", blind=_CAUGHT),
    Row(T, "new name", TABLE, "SELECT id FROM {new}"),
    Row(T, "SELECT *", TABLE, "SELECT * FROM {new}"),
    Row(T, "count(*)", TABLE, "SELECT count(*) FROM {new}"),
    Row(T, "by primary key", TABLE, "SELECT id FROM {new} WHERE id = 3"),
    Row(T, "by ctid", TABLE, "SET enable_seqscan = off; SELECT id FROM {new} WHERE ctid = '(0,1)'; RESET ALL"),
    Row(T, "INSERT", TABLE, "INSERT INTO {new} VALUES (91, 1)"),
    Row(T, "UPDATE", TABLE, "UPDATE {new} SET {x}_c = 2 WHERE id = 1"),
    Row(T, "UPDATE of no row", TABLE, "UPDATE {new} SET {x}_c = 2 WHERE false"),
    Row(T, "DELETE", TABLE, "DELETE FROM {new} WHERE id = 2"),
    Row(T, "MERGE", TABLE, "MERGE INTO {new} USING (VALUES (5)) {x}_five (i) ON {new}.id = {x}_five.i"
         " WHEN MATCHED THEN UPDATE SET {x}_c = 1"),
    Row(T, "TRUNCATE", TABLE, "TRUNCATE {new}"),
    Row(T, "COPY TO", TABLE, "COPY {new} TO PROGRAM 'cat > /dev/null'"),
    Row(T, "COPY FROM", TABLE, "COPY {new} (id) FROM PROGRAM 'echo 92'"),
    Row(T, "LOCK TABLE", TABLE, "BEGIN; LOCK TABLE {new} IN ACCESS SHARE MODE; COMMIT", blind=_ABOUT),
    Row(T, "ALTER TABLE", TABLE, "ALTER TABLE {new} SET (fillfactor = 90)", role="postgres", blind=_ABOUT),
    Row(T, "CREATE INDEX", TABLE, "CREATE INDEX ON {new} ({x}_c)", role="postgres"),
    Row(T, "cursor, fetched", TABLE, "BEGIN; DECLARE c CURSOR FOR SELECT id FROM {new}; FETCH 1 FROM c; COMMIT"),
    Row(T, "cursor, never fetched", TABLE, "BEGIN; DECLARE c CURSOR FOR SELECT id FROM {new}; COMMIT"),
    Row(T, "prepared", TABLE, "PREPARE {x}_q AS SELECT id FROM {new}; EXECUTE {x}_q"),
    Row(T, "planned only: EXPLAIN", TABLE, "EXPLAIN SELECT id FROM {new}"),
    Row(T, "planned only: WHERE false", TABLE, "SELECT id FROM {new} WHERE false"),
    Row(T, "planned only: LIMIT 0", TABLE, "SELECT id FROM {new} LIMIT 0"),
    Row(T, "without an index, read", BARE, "SELECT id FROM {new}"),
    Row(T, "without an index, planned only: EXPLAIN", BARE, "EXPLAIN SELECT id FROM {new}"),
    Row(T, "without an index, planned only: LIMIT 0", BARE, "SELECT id FROM {new} LIMIT 0"),
    Row(T, "without an index, UPDATE of no row", BARE, "UPDATE {new} SET {x}_c = 2 WHERE false"),
    Row(T, "dynamic SQL", TABLE + ";" + BY_OID, "DO $$ BEGIN EXECUTE 'SELECT 1 FROM '"
         " || (SELECT at::regclass FROM {x}_o); END $$"),
    Row(T, "view", TABLE + ";CREATE VIEW {x}_w AS SELECT id FROM {x}_t", "SELECT * FROM {x}_w"),
    Row(T, "SQL function with a parsed body", TABLE + ";CREATE FUNCTION {x}_f() RETURNS bigint LANGUAGE sql"
         " BEGIN ATOMIC SELECT count(*) FROM {x}_t; END", "SELECT {x}_f()"),
    Row(T, "trigger of another table", TABLE + ";" + BY_OID + ";" + _USER_OF
         + ";CREATE TRIGGER {x}_g AFTER INSERT ON {x}_u FOR EACH ROW EXECUTE FUNCTION copies('{x}_o')",
         "INSERT INTO {x}_u VALUES (70)"),
    Row(T, "check of a foreign key", TABLE + ";CREATE TABLE {x}_u (id int REFERENCES {x}_t)",
         "INSERT INTO {x}_u VALUES (1)"),
    Row(T, "cascade of a foreign key", _REFERRED + ";" + TABLE.replace(
         "{x}_c int", "{x}_c int, u int DEFAULT 1 REFERENCES {x}_u ON DELETE CASCADE").replace("INTO {x}_t", "INTO {x}_t (id, {x}_c)"),
         "DELETE FROM {x}_u"),
    Row(T, "TRUNCATE … CASCADE", _REFERRED + ";" + TABLE.replace(
         "{x}_c int", "{x}_c int, u int DEFAULT 1 REFERENCES {x}_u").replace("INTO {x}_t", "INTO {x}_t (id, {x}_c)"),
         "TRUNCATE {x}_u CASCADE"),
    Row(T, "rule of another table", TABLE + ";" + _USER_OF
         + ";CREATE RULE r AS ON INSERT TO {x}_u DO INSTEAD INSERT INTO {x}_t VALUES (NEW.id + 100, 1)",
         "INSERT INTO {x}_u VALUES (7)"),
    Row(T, "row policy of another table", TABLE + ";" + _USER_OF + ";CREATE POLICY p ON {x}_u USING (id IN"
         " (SELECT id FROM {x}_t));ALTER TABLE {x}_u ENABLE ROW LEVEL SECURITY", "SELECT * FROM {x}_u"),
    Row(T, "refresh of a materialized view", TABLE + ";CREATE MATERIALIZED VIEW {x}_m AS SELECT id FROM {x}_t",
         "REFRESH MATERIALIZED VIEW {x}_m", role="postgres"),
    Row(T, "partitioned table", _PARTED, "SELECT * FROM {new}"),
    Row(T, "partitioned table, through a partition", _PARTED, "SELECT * FROM {x}_p"),
    Row(T, "partitioned table, INSERT", _PARTED, "INSERT INTO {new} VALUES (3, 3)"),
    Row(T, "soft, read", TABLE, "SELECT id FROM {x}_t", soft=True),
    Row(T, "soft, INSERT", TABLE, "INSERT INTO {x}_t VALUES (93, 1)", soft=True),
    Row(T, "soft, UPDATE", TABLE, "UPDATE {x}_t SET {x}_c = 1", soft=True),
    Row(T, "soft, LIMIT 0", TABLE, "SELECT id FROM {x}_t LIMIT 0", soft=True),
    Row(T, "soft, LOCK TABLE", TABLE, "BEGIN; LOCK TABLE {x}_t IN ACCESS SHARE MODE; COMMIT", soft=True),
    # Columns
    Row(C, "former name", TABLE, "SELECT {x}_c FROM {x}_t"),
    Row(C, "former name, INSERT", TABLE, "INSERT INTO {x}_t (id, {x}_c) VALUES (90, 1)"),
    Row(C, "former name, prepared before the rename", TABLE, "EXECUTE {x}_q",
         before="PREPARE {x}_q AS SELECT {x}_c FROM {x}_t;EXECUTE {x}_q"),
    Row(C, "former name in a function", TABLE + ";CREATE FUNCTION {x}_f() RETURNS bigint LANGUAGE plpgsql AS"
         " $$ BEGIN RETURN (SELECT sum({x}_c) FROM {x}_t); END $$", "SELECT {x}_f()"),
    Row(C, "new name", TABLE, "SELECT {new} FROM {x}_t"),
    Row(C, "new name, UPDATE", TABLE, "UPDATE {x}_t SET {new} = 1 WHERE id = 1"),
    Row(C, "new name, by ctid", TABLE, "SET enable_seqscan = off; SELECT {new} FROM {x}_t WHERE ctid = '(0,1)'; RESET ALL"),
    Row(C, "SELECT *", TABLE, "SELECT * FROM {x}_t"),
    Row(C, "planned only: LIMIT 0", TABLE, "SELECT {new} FROM {x}_t LIMIT 0"),
    Row(C, "without an index, planned only: LIMIT 0", BARE, "SELECT {new} FROM {x}_t LIMIT 0"),
    Row(C, "whole row", TABLE, "SELECT {x}_t FROM {x}_t"),
    Row(C, "INSERT without columns", TABLE, "INSERT INTO {x}_t VALUES (91, 4)"),
    Row(C, "COPY TO", TABLE, "COPY {x}_t TO PROGRAM 'cat > /dev/null'"),
    Row(C, "COPY FROM", TABLE, "COPY {x}_t FROM PROGRAM 'printf \"95\\t1\\n\"'"),
    Row(C, "cursor", TABLE, "BEGIN; DECLARE c CURSOR FOR SELECT {new} FROM {x}_t; FETCH 1 FROM c; COMMIT"),
    Row(C, "view", TABLE + ";CREATE VIEW {x}_w AS SELECT {x}_c FROM {x}_t", "SELECT * FROM {x}_w"),
    Row(C, "view with SELECT *", TABLE + ";CREATE VIEW {x}_w AS SELECT * FROM {x}_t", "SELECT id FROM {x}_w"),
    Row(C, "index by the planner", INDEX, "SET enable_seqscan = off; SELECT id FROM {x}_t WHERE {new} = 5; RESET ALL"),
    Row(C, "constraint enforced", CHECK, "INSERT INTO {x}_t (id) VALUES (99)"),
    Row(C, "dynamic SQL", TABLE, "DO $$ BEGIN EXECUTE 'SELECT * FROM {x}' || '_t'; END $$"),
    Row(C, "TRUNCATE of its table", TABLE, "TRUNCATE {x}_t", blind=_WHOLE),
    Row(C, "DELETE in its table", TABLE, "DELETE FROM {x}_t WHERE id = 3", blind=_WHOLE),
    # Indexes
    Row(I, "planner, equality", INDEX, "SET enable_seqscan = off; SELECT id FROM {x}_t WHERE {x}_c = 5; RESET ALL"),
    Row(I, "planner, bitmap", INDEX, "SET enable_seqscan = off; SET enable_indexscan = off;"
         " SELECT id FROM {x}_t WHERE {x}_c = 5; RESET ALL"),
    Row(I, "planner, order", INDEX, "SET enable_sort = off; SET enable_seqscan = off;"
         " SELECT id FROM {x}_t ORDER BY {x}_c LIMIT 1; RESET ALL"),
    Row(I, "planner, through a view", INDEX + ";CREATE VIEW {x}_w AS SELECT * FROM {x}_t",
         "SET enable_seqscan = off; SELECT id FROM {x}_w WHERE {x}_c = 5; RESET ALL"),
    Row(I, "cascade of a foreign key", _REFERRED + ";CREATE TABLE {x}_t (u int REFERENCES {x}_u ON DELETE CASCADE);INSERT INTO {x}_t VALUES (1);CREATE INDEX {x}_i ON {x}_t (u)",
         "SET enable_seqscan = off; DELETE FROM {x}_u; RESET ALL"),
    Row(I, "ON CONFLICT", UNIQUE_INDEX, "INSERT INTO {x}_t VALUES (96, 5) ON CONFLICT ({x}_c) DO NOTHING"),
    Row(I, "uniqueness enforced", UNIQUE_INDEX, "INSERT INTO {x}_t VALUES (97, 97)"),
    Row(I, "uniqueness violated", UNIQUE_INDEX, "INSERT INTO {x}_t VALUES (97, 5)"),
    Row(I, "uniqueness enforced, UPDATE", UNIQUE_INDEX, "UPDATE {x}_t SET {x}_c = 97 WHERE id = 7"),
    Row(I, "uniqueness enforced, COPY", UNIQUE_INDEX, "COPY {x}_t FROM PROGRAM 'printf \"95\\t95\\n\"'"),
    Row(I, "REFRESH … CONCURRENTLY", FILLED + ";CREATE UNIQUE INDEX {x}_i ON {x}_m (id)",
         "REFRESH MATERIALIZED VIEW CONCURRENTLY {x}_m", role="postgres"),
    Row(I, "new name, REINDEX", INDEX, "REINDEX INDEX {new}", role="postgres", blind=_ABOUT),
    Row(I, "new name, CLUSTER", INDEX, "CLUSTER {x}_t USING {new}", role="postgres"),
    Row(I, "former name", INDEX, "ALTER INDEX {x}_i SET (fillfactor = 90)", role="postgres"),
    Row(I, "former name, REINDEX", INDEX, "REINDEX INDEX {x}_i", role="postgres"),
    # Constraints
    Row(K, "former name, ON CONFLICT", UNIQUE,
         "INSERT INTO {x}_t VALUES (98, 5) ON CONFLICT ON CONSTRAINT {x}_k DO NOTHING"),
    Row(K, "former name, SET CONSTRAINTS", UNIQUE, "SET CONSTRAINTS {x}_k DEFERRED"),
    Row(K, "former name, VALIDATE", CHECK, "ALTER TABLE {x}_t VALIDATE CONSTRAINT {x}_k", role="postgres"),
    Row(K, "new name, ON CONFLICT", UNIQUE,
         "INSERT INTO {x}_t VALUES (98, 5) ON CONFLICT ON CONSTRAINT {new} DO NOTHING"),
    Row(K, "check enforced", CHECK, "INSERT INTO {x}_t VALUES (98, 98)"),
    Row(K, "check violated", CHECK, "INSERT INTO {x}_t VALUES (98, -1)"),
    Row(K, "check enforced, UPDATE", CHECK, "UPDATE {x}_t SET {x}_c = 7 WHERE id = 3"),
    Row(K, "check enforced, COPY", CHECK, "COPY {x}_t FROM PROGRAM 'printf \"95\\t95\\n\"'"),
    Row(K, "check NOT VALID, enforced", CHECK + " NOT VALID", "INSERT INTO {x}_t VALUES (98, 98)"),
    Row(K, "check of a partitioned table, enforced", _PARTED + ";ALTER TABLE {x}_t ADD CONSTRAINT {x}_k CHECK ({x}_c > 0)",
         "INSERT INTO {x}_t VALUES (3, 3)"),
    Row(K, "new name, SET CONSTRAINTS", DEFERRED, "SET CONSTRAINTS {new} DEFERRED"),
    Row(K, "primary key enforced", PRIMARY, "INSERT INTO {x}_t VALUES (98, 98)"),
    Row(K, "primary key, GROUP BY", PRIMARY, "SELECT id, {x}_c FROM {x}_t GROUP BY id"),
    Row(K, "primary key, GROUP BY, planned only", PRIMARY, "EXPLAIN SELECT id, {x}_c FROM {x}_t GROUP BY id"),
    Row(K, "exclusion enforced", EXCLUSION, "INSERT INTO {x}_t VALUES (98, 98)"),
    Row(K, "uniqueness enforced", UNIQUE, "INSERT INTO {x}_t VALUES (98, 98)"),
    Row(K, "uniqueness violated", UNIQUE, "INSERT INTO {x}_t VALUES (98, 5)"),
    Row(K, "its index by the planner", UNIQUE, "SET enable_seqscan = off; SELECT id FROM {x}_t WHERE {x}_c = 5; RESET ALL"),
    Row(K, "foreign key enforced", _FOREIGN_KEY, "INSERT INTO {x}_t VALUES (1)"),
    Row(K, "foreign key violated", _FOREIGN_KEY, "INSERT INTO {x}_t VALUES (9)"),
    Row(K, "foreign key, referred row deleted", _FOREIGN_KEY, "DELETE FROM {x}_u"),
    # Enum types and values
    Row(E, "former name, cast", ENUM, "SELECT '{x}_a'::{x}_e"),
    Row(E, "former name, array", ENUM, "SELECT NULL::{x}_e[]"),
    Row(E, "former name, CREATE TABLE", ENUM, "CREATE TEMP TABLE {x}_n (e {x}_e)"),
    Row(E, "new name, cast", ENUM, "SELECT '{x}_a'::{new}"),
    Row(E, "new name, dynamic SQL in a function", ENUM + ";CREATE TABLE {x}_o AS SELECT '{x}_e'::regtype::oid AS at;"
         "CREATE FUNCTION {x}_f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE format('SELECT NULL::%s',"
         " (SELECT at::regtype FROM {x}_o)); END $$", "SELECT {x}_f()"),
    Row(E, "column compared", HELD, "SELECT * FROM {x}_u WHERE e = '{x}_a'"),
    Row(E, "parameter of a function", ENUM + ";CREATE FUNCTION {x}_f({x}_e) RETURNS int LANGUAGE sql AS 'SELECT 1'",
         "SELECT {x}_f('{x}_a')"),
    Row(L, "former label, cast", ENUM, "SELECT '{x}_a'::{x}_e"),
    Row(L, "former label, INSERT", HELD, "INSERT INTO {x}_u VALUES ('{x}_a')"),
    Row(L, "former label, compared", HELD, "SELECT * FROM {x}_u WHERE e = '{x}_a'"),
    Row(L, "rows that hold it, read", HELD + ";INSERT INTO {x}_u VALUES ('{x}_a')",
         "SELECT * FROM {x}_u"),
    Row(L, "new label", ENUM, "SELECT {label}::{x}_e"),
    Row(L, "new label, INSERT", HELD, "INSERT INTO {x}_u VALUES ({label})"),
    Row(L, "new label, compared", HELD, "SELECT * FROM {x}_u WHERE e = {label}"),
    Row(L, "new label, as a parameter", HELD, "PREPARE {x}_q ({x}_e) AS SELECT * FROM {x}_u WHERE e = $1; EXECUTE {x}_q({label})"),
    Row(L, "many rows hold it", HELD + ";INSERT INTO {x}_u SELECT '{x}_a' FROM generate_series(1, 20)", "SELECT * FROM {x}_u"),
    Row(L, "rows hold it in an array", ENUM + ";CREATE TABLE {x}_u (e {x}_e[]);INSERT INTO {x}_u VALUES ('{{x}_a,{x}_z}')", "SELECT * FROM {x}_u"),
    # Views
    Row(V, "former name", VIEW, "SELECT * FROM {x}_v"),
    Row(V, "former name, prepared before the rename", VIEW, "EXECUTE {x}_q",
         before="PREPARE {x}_q AS SELECT * FROM {x}_v;EXECUTE {x}_q"),
    Row(V, "new name", VIEW, "SELECT * FROM {new}"),
    Row(V, "new name, planned only", VIEW, "EXPLAIN SELECT * FROM {new}"),
    Row(V, "new name, UPDATE", VIEW, "UPDATE {new} SET id = 1"),
    Row(V, "new name, LOCK TABLE", VIEW, "BEGIN; LOCK TABLE {new} IN ACCESS SHARE MODE; COMMIT", blind=_ABOUT),
    Row(V, "new name, dynamic SQL in a function", VIEW + ";" + BY_OID.replace("_t'", "_v'") + ";CREATE FUNCTION {x}_f()"
         " RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE format('SELECT * FROM %s', (SELECT at::regclass FROM {x}_o));"
         " END $$", "SELECT {x}_f()"),
    Row(V, "view over it", VIEW + ";CREATE VIEW {x}_w AS SELECT * FROM {x}_v", "SELECT * FROM {x}_w"),
    Row(V, "SQL function with a parsed body", VIEW + ";CREATE FUNCTION {x}_f() RETURNS bigint LANGUAGE sql"
         " BEGIN ATOMIC SELECT count(*) FROM {x}_v; END", "SELECT {x}_f()"),
    Row(V, "soft, read", VIEW, "SELECT * FROM {x}_v", soft=True),
    Row(V, "soft, LIMIT 0", VIEW, "SELECT * FROM {x}_v LIMIT 0", soft=True),
    # Materialized views
    Row(M, "former name", MATVIEW, "SELECT * FROM {x}_m"),
    Row(M, "former name, REFRESH", MATVIEW, "REFRESH MATERIALIZED VIEW {x}_m", role="postgres"),
    Row(M, "new name", MATVIEW, "SELECT * FROM {new}"),
    Row(M, "new name, planned only", MATVIEW, "EXPLAIN SELECT * FROM {new}"),
    Row(M, "new name, REFRESH", FILLED, "REFRESH MATERIALIZED VIEW {new}", role="postgres"),
    Row(M, "new name, REFRESH of an empty one", MATVIEW, "REFRESH MATERIALIZED VIEW {new}", role="postgres"),
    Row(M, "view over it", MATVIEW + ";CREATE VIEW {x}_w AS SELECT * FROM {x}_m", "SELECT * FROM {x}_w"),
    # Sequences
    Row(S, "former name, nextval", SEQUENCE, "SELECT nextval('{x}_s')"),
    Row(S, "former name, read", SEQUENCE, "SELECT last_value FROM {x}_s"),
    Row(S, "new name, nextval", SEQUENCE, "SELECT nextval('{new}')"),
    Row(S, "new name, setval", SEQUENCE, "SELECT setval('{new}', 5)"),
    Row(S, "new name, read", SEQUENCE, "SELECT last_value FROM {new}"),
    Row(S, "new name, ALTER", SEQUENCE, "ALTER SEQUENCE {new} CACHE 2", role="postgres", blind=_ABOUT),
    Row(S, "by OID", SEQUENCE + ";CREATE TABLE {x}_o AS SELECT '{x}_s'::regclass::oid AS at",
         "SELECT nextval(at::regclass) FROM {x}_o"),
    Row(S, "default of a column", SEQUENCE + ";CREATE TABLE {x}_u (id int DEFAULT nextval('{x}_s'), n int)",
         "INSERT INTO {x}_u (n) VALUES (1)"),
)  # fmt: skip

GRANTS = """
GRANT ALL ON ALL TABLES IN SCHEMA public TO visitor;
GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO visitor;
GRANT CREATE ON SCHEMA public TO visitor;
ANALYZE;
"""
PRELUDE = """
CREATE ROLE visitor LOGIN;
GRANT pg_execute_server_program TO visitor;
"""
# Of a function that puts statements together nobody knows which ones.
OPAQUE_PRELUDE = """
CREATE FUNCTION copies() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE target regclass;
BEGIN
    EXECUTE format('SELECT at::regclass FROM %I', TG_ARGV[0]) INTO target;
    EXECUTE format('INSERT INTO %s VALUES ($1, 1)', target) USING NEW.id;
    RETURN NEW;
END $$;
"""
