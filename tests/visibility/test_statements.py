"""What pg_stat_statements sees, on real servers: every kind of statement, and what pgattic does itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from analytics.facts import Facts
from analytics.grounds import Grounds
from analytics.readiness import gather
from analytics.store import Evidence
from analytics.stretches import Stretch
from catalog.counters import read_counters
from catalog.database import Database, identifier
from catalog.policy import PolicySettings
from catalog.reading import read_snapshot
from catalog.throwaway import EMBEDDED_BIN, ThrowawayServer
from ingest.collect import Node, collect
from ingest.schemas import Source
from ingest.store import Store
from migrations import registry
from tests.fix_server import DEBIAN_15_BIN, FreshDatabase
from tests.visibility.world import Watch, crash, run_script

LIBRARY = {"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track": "all"}
# The table, view and type of one access, and those of its twin, which nobody touches.
SETUP = """
CREATE TABLE {x} (id int PRIMARY KEY, legacy text, kept text);
CREATE TABLE {x}_whole (id int PRIMARY KEY, kept text);
CREATE VIEW {x}_view AS SELECT id, kept FROM {x};
CREATE MATERIALIZED VIEW {x}_stored AS SELECT 1 AS one;
CREATE TYPE {x}_mood AS ENUM ('good', 'bad');
CREATE VIEW {x}_behind AS SELECT id, legacy FROM {x};
"""


@dataclass(frozen=True)
class Access:
    """A use of one element, by its present name `{new}`; `before` is run once before the rename too."""

    name: str
    element: str
    use: str
    before: str = ""


ACCESSES = (
    Access("column", "column:public.{x}.legacy", "SELECT {new} FROM {x}"),
    Access("column_former", "column:public.{x}.legacy", "SELECT {new} FROM {x}", "SELECT legacy FROM {x}"),
    Access("star", "column:public.{x}.legacy", "SELECT * FROM {x}", "SELECT * FROM {x}"),
    Access("row", "column:public.{x}.legacy", "SELECT {x} FROM {x}"),
    Access("insert", "column:public.{x}.legacy", "INSERT INTO {x} VALUES (1, 'a', 'b')"),
    Access("behind", "column:public.{x}.legacy", "SELECT id FROM {x}_behind", "SELECT id FROM {x}_behind"),
    Access("by_function", "column:public.{x}.legacy", "SELECT {x}_reads()", "SELECT 1"),
    Access("do_block", "column:public.{x}.legacy", "DO $$ BEGIN PERFORM {new} FROM {x}; END $$"),
    Access(
        "do_text",
        "column:public.{x}.legacy",
        "DO $$ BEGIN EXECUTE 'SELECT max({new})' || ' FROM {x}'; END $$",
    ),
    Access("prepared", "column:public.{x}.legacy", "PREPARE {x}_p AS SELECT {new} FROM {x}; EXECUTE {x}_p"),
    Access("copy", "column:public.{x}.legacy", "CREATE TABLE {x}_copy AS SELECT * FROM {x}"),
    Access("table", "table:public.{x}_whole", "SELECT kept FROM {new}"),
    Access("table_former", "table:public.{x}_whole", "SELECT id FROM {new}", "SELECT id FROM {x}_whole"),
    Access("lock", "table:public.{x}_whole", "BEGIN; LOCK TABLE {new}; COMMIT"),
    Access("explain", "table:public.{x}_whole", "EXPLAIN SELECT id FROM {new}"),
    Access("cursor", "table:public.{x}_whole", "BEGIN; DECLARE c CURSOR FOR SELECT id FROM {new}; COMMIT"),
    Access("view", "view:public.{x}_view", "SELECT kept FROM {new}"),
    Access("refresh", "matview:public.{x}_stored", "REFRESH MATERIALIZED VIEW {new}"),
    Access("cast", "enum:public.{x}_mood", "SELECT 'good'::{new}"),
    Access("typed", "enum:public.{x}_mood", "CREATE TABLE {x}_moods (mood {new})"),
)  # fmt: skip


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module", params=["18", pytest.param("15", marks=pytest.mark.pg15)])
def watch(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watch]:
    binaries = DEBIAN_15_BIN if request.param == "15" else EMBEDDED_BIN
    if not (binaries / "initdb").exists():
        pytest.skip(f"no PostgreSQL 15 in {binaries}")
    with ThrowawayServer(settings=LIBRARY, bin_directory=binaries) as server:
        yield Watch(server, tmp_path_factory.mktemp("data"))


def sample(watch: Watch) -> tuple[str, ...]:
    """Look at the server; what could not be seen."""
    (found,) = collect([Node("primary", watch.connect)], Store(watch.data), now).nodes
    assert not found.failure
    return found.notes


def judged(watch: Watch) -> dict[str, Facts]:
    with watch.connect() as db, Evidence.open(watch.data) as evidence:
        found = gather(Grounds(read_snapshot(db), read_counters(db), evidence, PolicySettings(), now()))
    return {str(entry.element): facts for entry, facts in found}


def watched(facts: Facts) -> list[Stretch]:
    """When pg_stat_statements could tell."""
    return list(facts.watched[Source.STATEMENTS]["primary"])


def looks(watch: Watch) -> list[dict[str, Any]]:
    """All looks at the server so far."""
    rows = Store(watch.data).rows("sample", ["sampled_at", "statements_read_at", "statements_reset_at"])
    return rows.sort_by("sampled_at").to_pylist()


@pytest.fixture(scope="module")
def seen(watch: Watch) -> dict[str, Facts]:
    """Each element used, and its untouched twin: both looked at before and after the use."""
    names = {access.name: (f"u_{access.name}", f"t_{access.name}") for access in ACCESSES}
    with watch.connect() as db:
        registry.install(db)
        db.execute("CREATE SCHEMA other; CREATE EXTENSION pg_stat_statements SCHEMA other")
        db.execute("CREATE ROLE app LOGIN SUPERUSER")
        for pair in names.values():
            for name in pair:
                db.execute(SETUP.replace("{x}", name))
    with Database.connect(watch.server.dsn(user="app"), application_name="shop") as app:
        for access in ACCESSES:
            run_script(app, access.before.replace("{x}", names[access.name][0]))
    elements = [access.element.replace("{x}", name) for access in ACCESSES for name in names[access.name]]
    watch.deprecate(elements, sensors=True)
    with watch.connect() as db:
        present = {str(e.element): identifier(e.deprecated_name) for e in read_snapshot(db).attic}
    with Database.connect(watch.server.dsn(user="app"), application_name="shop") as app:
        name = names["by_function"][0]
        column = present[f"column:public.{name}.legacy"]
        app.execute(
            f"CREATE FUNCTION {name}_reads() RETURNS text LANGUAGE sql AS 'SELECT max({column}) FROM {name}'"
        )
    assert sample(watch) == ()
    with Database.connect(watch.server.dsn(user="app"), application_name="shop") as app:
        for access in ACCESSES:
            name = names[access.name][0]
            new = present[access.element.replace("{x}", name)]
            run_script(app, access.use.replace("{x}", name).replace("{new}", new))
    assert sample(watch) == ()
    return judged(watch)


@pytest.mark.parametrize("access", ACCESSES, ids=lambda access: access.name)
def test_a_use_is_seen(seen: dict[str, Facts], access: Access) -> None:
    facts = seen[access.element.replace("{x}", f"u_{access.name}")]
    assert facts.called is not None
    assert facts.called.roles == ("app",)
    assert facts.called.calls >= 1


@pytest.mark.parametrize("access", ACCESSES, ids=lambda access: access.name)
def test_what_nobody_touched_was_watched_and_not_called(
    seen: dict[str, Facts], watch: Watch, access: Access
) -> None:
    """Nor does what pgattic itself does make it used: renames, comments, sensors, its looks."""
    facts = seen[access.element.replace("{x}", f"t_{access.name}")]
    assert facts.called is not None
    assert facts.called.steps == ()
    first, last = looks(watch)[:2]
    assert watched(facts)[0] == (first["statements_read_at"], last["sampled_at"])


STAR, ENUM = "column:public.t_star.legacy", "enum:public.t_cast_mood"


def test_what_is_done_by_hand_counts_whoever_does_it(seen: dict[str, Facts], watch: Watch) -> None:
    with watch.connect() as db:
        db.execute("SELECT * FROM t_star")
    sample(watch)
    called = judged(watch)[STAR].called
    assert called is not None
    assert (called.roles, called.calls) == (("postgres",), 1)


def test_a_statement_under_an_alias_is_seen_or_leaves_a_gap(seen: dict[str, Facts], watch: Watch) -> None:
    """PostgreSQL 18 takes two relations of one alias for the same, and shows the name of the first."""
    sample(watch)
    before = judged(watch)
    column = "column:public.t_row.legacy"
    with watch.connect() as db, Database.connect(watch.server.dsn(user="app")) as app:
        new = {str(e.element): identifier(e.deprecated_name) for e in read_snapshot(db).attic}
        app.execute("SELECT y.kept FROM t_row_whole y")
        app.execute(f"SELECT y.{new[column]} FROM t_row y")
        names_are_known = db.server_version < 180000
    sample(watch)
    after = judged(watch)
    (called,) = [facts.called for name, facts in after.items() if name == column]
    assert called is not None
    assert bool(called.calls) == names_are_known
    # Of a column with another number nothing is hidden, nor of a type.
    assert (watched(after[column])[-1] > watched(before[column])[-1]) == names_are_known
    assert watched(after[ENUM])[-1] > watched(before[ENUM])[-1]


def test_what_takes_entries_away_leaves_a_gap(seen: dict[str, Facts], watch: Watch) -> None:
    sample(watch)
    with watch.connect() as db:
        # Of one entry alone: neither the time of the last reset nor the number of evictions tells.
        db.fetch(
            "SELECT other.pg_stat_statements_reset(userid, dbid, queryid) FROM other.pg_stat_statements"
            " WHERE query LIKE %s LIMIT 1",
            ["SELECT id FROM u_behind_behind%"],
        )
    sample(watch)
    sample(watch)
    *_, before, after, last = looks(watch)
    assert before["statements_reset_at"] == after["statements_reset_at"]
    stretches = watched(judged(watch)[ENUM])
    assert not [one for one in stretches if one[0] < after["sampled_at"] and one[1] > before["sampled_at"]]
    assert stretches[-1][1] == last["sampled_at"]
    with watch.connect() as db:
        db.fetch("SELECT other.pg_stat_statements_reset()")
    sample(watch)
    sample(watch)
    *_, first, second = looks(watch)
    assert first["statements_reset_at"] > last["sampled_at"]
    # That somebody reset something shows as a call too, and nobody can tell what.
    assert watched(judged(watch)[ENUM])[-1] == (first["sampled_at"], second["sampled_at"])


def test_a_crash_and_a_restart_leave_a_gap(seen: dict[str, Facts], watch: Watch) -> None:
    sample(watch)
    crash(watch.server)
    sample(watch)
    *_, before, crashed = looks(watch)
    assert crashed["statements_reset_at"] > before["sampled_at"]
    watch.server.stop()
    watch.server.start()
    sample(watch)
    restarted = looks(watch)[-1]
    assert restarted["statements_reset_at"] == crashed["statements_reset_at"]
    stretches = watched(judged(watch)[ENUM])
    assert [end for _, end in stretches[-2:]] == [crashed["sampled_at"], restarted["sampled_at"]]
    assert stretches[-2][0] >= crashed["statements_reset_at"]
    assert stretches[-1][0] > crashed["sampled_at"]


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("ALTER ROLE app SET pg_stat_statements.track = none", "app: pg_stat_statements.track=none"),
        (
            "ALTER ROLE app SET pg_stat_statements.track_utility = off",
            "app: pg_stat_statements.track_utility",
        ),
        ("ALTER DATABASE postgres SET compute_query_id = off", "postgres: compute_query_id=off"),
    ],
)
def test_what_is_not_counted_is_said_and_claims_nothing(
    seen: dict[str, Facts], watch: Watch, setting: str, told: str
) -> None:
    with watch.connect() as db:
        db.execute(setting)
    try:
        notes = sample(watch)
        assert any(told in note for note in notes), notes
        sample(watch)
    finally:
        with watch.connect() as db:
            db.execute(setting.partition("=")[0].replace(" SET ", " RESET "))
    before, after = looks(watch)[-2:]
    stretches = watched(judged(watch)[ENUM])
    assert not [one for one in stretches if one[0] < after["sampled_at"] and one[1] > before["sampled_at"]]


def test_hidden_texts_claim_nothing(seen: dict[str, Facts], watch: Watch) -> None:
    with watch.connect() as db:
        db.execute("CREATE ROLE viewer LOGIN; GRANT USAGE ON SCHEMA pgattic, other TO viewer")
        db.execute("GRANT SELECT ON ALL TABLES IN SCHEMA pgattic TO viewer")
    viewer = Node("primary", lambda: Database.connect(watch.server.dsn(user="viewer")))
    (found,) = collect([viewer], Store(watch.data), now).nodes
    assert not found.failure
    assert any("hides texts from this role" in note for note in found.notes)
    assert (
        "statements"
        not in Store(watch.data)
        .rows("sample", ["sampled_at", "sources"])
        .sort_by("sampled_at")
        .to_pylist()[-1]["sources"]
    )


def test_a_library_that_is_not_loaded_is_said(database: FreshDatabase, tmp_path: Path) -> None:
    database.db.execute("CREATE EXTENSION pg_stat_statements")
    node = Node("primary", lambda: Database.connect(database.dsn()))
    (found,) = collect([node], Store(tmp_path), now).nodes
    assert any("pg_stat_statements was not read" in note for note in found.notes)
    (row,) = Store(tmp_path).rows("sample", ["statements_read_at", "sources"]).to_pylist()
    assert row["statements_read_at"] is None
    assert "statements" not in row["sources"]
