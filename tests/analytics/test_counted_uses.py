"""What PostgreSQL counts of every use, and of what is no use: on real servers."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analytics.facts import Facts
from analytics.impact import impacts
from analytics.reconciliation import Reconciled
from catalog.counters import read_counters
from catalog.database import Database, identifier
from catalog.elements import Element
from catalog.reading import read_snapshot
from catalog.throwaway import EMBEDDED_BIN, ThrowawayServer
from ingest.collect import Node, collect
from ingest.schemas import TABLES, Source
from ingest.store import Store
from migrations import registry
from migrations.backup import make_backup
from tests.fix_server import DEBIAN_15_BIN, FreshDatabase
from tests.visibility.world import Watch, flush, now
from tests.waiting import until

# What is used or not, how: {x} is the deprecated name. A table has a key and a row; `bare` has no index.
USES = {
    "table by_ctid": "SELECT * FROM {x} WHERE ctid = '(0,1)'",
    "bare by_ctid": "SELECT * FROM {x} WHERE ctid = '(0,1)'",
    "table explained": "EXPLAIN SELECT * FROM {x}",
    "table limited": "SELECT * FROM {x} LIMIT 0",
    "table denied": "SELECT * FROM {x} WHERE false",
    "table updated": "UPDATE {x} SET n = 1 WHERE false",
    "table fetched_never": "BEGIN; DECLARE c CURSOR FOR SELECT * FROM {x}; COMMIT",
    "table scanned": "SELECT count(*) FROM {x}",
    "table by_key": "SELECT * FROM {x} WHERE id = 1",
    "empty truncated": "TRUNCATE {x}",
    "sequence nextval": "SELECT nextval('{x}')",
    "sequence by_oid": "SELECT nextval({oid}::regclass)",
    "sequence set": "SELECT setval('{x}', 7)",
    "sequence read": "SELECT last_value FROM {x}",
    "sequence shown": "SELECT * FROM pg_sequences WHERE sequencename = '{x}'",
    "matview refreshed": "REFRESH MATERIALIZED VIEW {x}",
    "void refreshed_empty": "REFRESH MATERIALIZED VIEW {x}",
    "matview queried": "SELECT * FROM {x}",
    "matview looked_into": "SELECT * FROM {x} WHERE ctid = '(0,1)'",
}
NO_USES = {
    "table left_alone": "SELECT 1",
    "bare left_alone": "SELECT 1",
    "sequence left_alone": "SELECT 1",
    "matview left_alone": "SELECT 1",
    "table vacuumed": "VACUUM {x}",
    "table frozen": "VACUUM FREEZE {x}",
    "table analyzed": "ANALYZE {x}",
    "table cleaned": "VACUUM ANALYZE {x}",
    "bare vacuumed": "VACUUM {x}",
    "matview vacuumed": "VACUUM ANALYZE {x}",
    "table renamed": "ALTER TABLE {x} RENAME TO elsewhere; ALTER TABLE elsewhere RENAME TO {x}",
    "table commented": "COMMENT ON TABLE {x} IS 'old'",
    "table granted": "GRANT SELECT ON {x} TO pg_monitor",
    "table measured": "SELECT pg_total_relation_size('{x}'), * FROM pg_stats WHERE tablename = '{x}'",
    "sequence renamed": "ALTER SEQUENCE {x} RENAME TO somewhere; ALTER SEQUENCE somewhere RENAME TO {x}",
    "sequence commented": "COMMENT ON SEQUENCE {x} IS 'old'",
    "sequence listed": "SELECT * FROM pg_sequence; SELECT * FROM information_schema.sequences",
}
SETUP = {
    "table": "CREATE TABLE {x} (id int PRIMARY KEY, n int); INSERT INTO {x} VALUES (1, 1)",
    "bare": "CREATE TABLE {x} (id int); INSERT INTO {x} VALUES (1)",
    "empty": "CREATE TABLE {x} (id int)",
    "sequence": "CREATE SEQUENCE {x}",
    "matview": "CREATE MATERIALIZED VIEW {x} AS SELECT * FROM base",
    "void": "CREATE MATERIALIZED VIEW {x} AS SELECT * FROM base WHERE false",
}
KINDS = {"bare": "table", "empty": "table", "void": "matview"}


def named(key: str) -> Element:
    what, name = key.split()
    return Element.parse(f"{KINDS.get(what, what)}:public.{what}_{name}")


def script(db: Database, text: str) -> None:
    for statement in text.split("; "):
        db.execute(statement)


def sampled(watch: Watch) -> None:
    assert not collect([Node("primary", watch.connect)], Store(watch.data), now).failed
    watch.looked_at = now()


def found(watch: Watch) -> dict[str, Facts]:
    return {str(entry.element): facts for entry, facts, _ in watch.judge()}


def counted(facts: Facts) -> Reconciled:
    assert facts.counted is not None
    return facts.reconciled(facts.since)


def test_every_use_is_counted_and_nothing_else_is(database: FreshDatabase, tmp_path: Path) -> None:
    watch = Watch(database.server, tmp_path, database.name)
    registry.install(database.db)
    keys = [*USES, *NO_USES]
    database.db.execute("CREATE TABLE base AS SELECT 1 AS id")
    for key in keys:
        script(database.db, SETUP[key.split()[0]].replace("{x}", named(key).name))
    database.db.execute("VACUUM ANALYZE")
    flush(database.db)
    sampled(watch)
    watch.deprecate([str(named(key)) for key in keys])
    snapshot = read_snapshot(database.db)
    names = {entry.element: (entry.deprecated_name, entry.object_oid) for entry in snapshot.attic}
    sampled(watch)
    # What pgattic does itself counts for none of them: judged before and after the uses, and measured.
    impacts(database.db, snapshot)
    assert not [key for key in keys if counted(found(watch)[str(named(key))]).uses]
    with Database.connect(watch.dsn, application_name="shop") as client:
        # A table of one page is rather read whole.
        client.execute("SET enable_seqscan = off")
        for key, text in {**USES, **NO_USES}.items():
            name, oid = names[named(key)]
            use = text.replace("{x}", name).replace("{oid}", str(oid))
            if use.startswith("BEGIN; "):
                with client.transaction():
                    client.execute(use.removeprefix("BEGIN; ").removesuffix("; COMMIT"))
            else:
                script(client, use)
        flush(client)
    facts = found(watch)
    assert {key for key in keys if counted(facts[str(named(key))]).uses} == set(USES)
    assert counted(facts[str(named("table by_ctid"))]).looks == 1
    assert counted(facts[str(named("void refreshed_empty"))]).rewrites == 1
    assert counted(facts[str(named("empty truncated"))]).rewrites == 1
    assert counted(facts[str(named("matview refreshed"))]).writes == 1
    assert counted(facts[str(named("sequence nextval"))]).reads == 1
    # What vacuum fetches explains nothing of before it, and adds nothing.
    sampled(watch)
    database.db.execute("VACUUM ANALYZE")
    flush(database.db)
    assert {key: counted(one).uses for key, one in found(watch).items()} == {
        key: counted(one).uses for key, one in facts.items()
    }


def test_what_autovacuum_fetches_is_no_use(tmp_path: Path) -> None:
    with ThrowawayServer(settings={"autovacuum_naptime": "1s"}) as server:
        watch = Watch(server, tmp_path)
        with watch.connect() as db:
            registry.install(db)
            db.execute("CREATE TABLE old (id int PRIMARY KEY) WITH (autovacuum_enabled = off)")
            db.execute("INSERT INTO old SELECT generate_series(1, 5000)")
            db.execute("DELETE FROM old")
            flush(db)
        watch.deprecate(["table:public.old"], sensors=False)
        sampled(watch)
        with watch.connect() as db:
            (name,) = [entry.deprecated_name for entry in read_snapshot(db).attic]
            db.execute(f"ALTER TABLE {identifier(name)} RESET (autovacuum_enabled)")
            vacuumed = "SELECT sum(autovacuum_count) > 0 FROM pg_stat_user_tables WHERE relname ~ '^old_'"
            until(lambda: db.fetch_value(vacuumed))
        # What it fetched is counted with that it ran, or a moment later.
        for _ in range(2):
            sampled(watch)
            assert counted(found(watch)["table:public.old"]).uses == 0


@pytest.fixture(params=["18", pytest.param("15", marks=pytest.mark.pg15)])
def start(request: pytest.FixtureRequest) -> Iterator[Callable[[str], ThrowawayServer]]:
    """Starts a server of each version with a setting of log_statement."""
    binaries = DEBIAN_15_BIN if request.param == "15" else EMBEDDED_BIN
    if not (binaries / "initdb").exists():
        pytest.skip(f"no PostgreSQL 15 in {binaries}")
    with ExitStack() as stack:
        yield lambda level: stack.enter_context(
            ThrowawayServer(settings={"log_statement": level}, bin_directory=binaries)
        )


def _numbers(watch: Watch) -> None:
    with watch.connect() as db:
        registry.install(db)
        db.execute("CREATE SEQUENCE numbers")
        db.execute("CREATE TABLE kept (id serial PRIMARY KEY)")
        db.execute("CREATE TABLE other (id int)")
        flush(db)
    watch.deprecate(["sequence:public.numbers", "sequence:public.kept_id_seq"], sensors=False)
    sampled(watch)


def _dumped(watch: Watch) -> None:
    program = str(watch.server.program("pg_dump"))
    subprocess.run([program, "--file", str(watch.data / "dump"), watch.dsn], check=True)


def test_a_dump_reads_every_sequence_and_only_a_line_tells_that_it_was_one(
    start: Callable[[str], ThrowawayServer], tmp_path: Path
) -> None:
    watch = Watch(start("all"), tmp_path)
    _numbers(watch)
    _dumped(watch)
    _dumped(watch)
    unread = counted(found(watch)["sequence:public.numbers"])
    assert (unread.reads, unread.unexplained, unread.explained) == (2, 2, ())
    watch.look()
    read = found(watch)["sequence:public.numbers"]
    assert (counted(read).uses, counted(read).explained) == (0, (("pg_dump", 2),))
    assert read.uses == 0
    with watch.connect() as db:
        (name,) = [e.deprecated_name for e in read_snapshot(db).attic if e.element.name == "numbers"]
    with Database.connect(watch.dsn, application_name="shop") as client:
        client.fetch(f"SELECT nextval('{name}')")
        flush(client)
    assert counted(found(watch)["sequence:public.numbers"]).uses == 1


def test_sequences_that_a_backup_reads_are_noted(
    start: Callable[[str], ThrowawayServer], tmp_path: Path
) -> None:
    watch = Watch(start("none"), tmp_path)
    _numbers(watch)
    with watch.connect() as db:
        is_of_all = db.server_version >= 180_000
        for table in ("other", "kept"):
            element = Element.parse(f"table:public.{table}")
            make_backup(
                db, watch.dsn, f"m_{table}", [element], read_snapshot(db), tmp_path / "b", None, now()
            )
    facts = found(watch)
    # PostgreSQL 18's pg_dump reads all of them for any table, before that those of the tables' own columns.
    assert {name: dict(counted(one).explained) for name, one in facts.items()} == {
        "sequence:public.numbers": {"pgattic": 2} if is_of_all else {},
        "sequence:public.kept_id_seq": {"pgattic": 2 if is_of_all else 1},
    }
    assert [counted(one).uses for one in facts.values()] == [0, 0]


def test_what_an_older_pgattic_noted_is_read_but_proves_nothing_of_looks(
    database18: FreshDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch, db = Watch(database18.server, tmp_path, database18.name), database18.db
    registry.install(db)
    script(db, SETUP["table"].replace("{x}", "old"))
    db.execute("CREATE SEQUENCE numbers")
    flush(db)
    watch.deprecate(["table:public.old", "sequence:public.numbers"])
    added = ("blocks", "maintenance", "filenode")
    with monkeypatch.context() as older:
        schema = TABLES["counter"]
        older.setitem(TABLES, "counter", pa.schema([field for field in schema if field.name not in added]))
        for name in added:
            db.execute("UPDATE pgattic.element SET counters = counters - %s", [name])
        db.execute("UPDATE pgattic.element SET counters = NULL WHERE kind = 'sequence'")
        entries = {entry.element.name: entry for entry in read_snapshot(db).attic}
        at = now()
        head = {"node": "primary", "settings": ["track_counts=on"], "sampled_at": at, "day": at.date()}
        row = {"oid": entries["old"].object_oid, "element": "table:public.old", "reads": 0, "writes": 0}
        state = read_counters(db)
        since = {"kept_since": state.kept_since, "reset_at": state.reset_at}
        live = state.counters[entries["old"].object_oid]
        row |= {"reads": live.reads, "writes": live.writes, "last_read_at": live.last_read_at}
        store = Store(tmp_path)
        store.append(
            "counter", pa.Table.from_pylist([{**head, **row, **since}], TABLES["counter"]), transaction=None
        )
        store.append("sample", pa.Table.from_pylist([head], TABLES["sample"]), transaction=None)
        assert not set(added) & set(pq.read_schema(next(tmp_path.rglob("counter/*/*.parquet"))).names)
    before = found(watch)["table:public.old"]
    assert (counted(before).uses, len(before.watched[Source.COUNTER]["primary"])) == (0, 0)
    sampled(watch)
    upgraded = found(watch)["table:public.old"].watched[Source.COUNTER]["primary"]
    assert upgraded[0][0] > at
    with Database.connect(watch.dsn, application_name="shop") as client:
        client.fetch(f"EXPLAIN SELECT * FROM {entries['old'].deprecated_name}")
        client.fetch(f"SELECT nextval('{entries['numbers'].deprecated_name}')")
        flush(client)
    facts = found(watch)
    assert counted(facts["table:public.old"]).looks == 1
    assert counted(facts["sequence:public.numbers"]).reads == 1
