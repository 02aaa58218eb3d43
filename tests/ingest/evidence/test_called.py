"""What entries of pg_stat_statements say of the attic: whose text it is, and what may hide behind it."""

from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from catalog.database import OWN_NOTE
from catalog.reading import read_snapshot
from catalog.snapshot import Snapshot
from catalog.throwaway import ThrowawayServer
from ingest.evidence.called import Called, CalledReader, Entry
from ingest.evidence.called_texts import _what_is_there
from ingest.evidence.meanings import Meanings
from ingest.evidence.statements import Statements
from ingest.grammar.planned import planned
from tests.analytics.world import Attic, run
from tests.fix_server import fresh_database

SCRIPT = """
CREATE SCHEMA other;
CREATE TABLE users (id int PRIMARY KEY, name text, note text);
CREATE TABLE orders (id int PRIMARY KEY, legacy text, status text);
CREATE TABLE other.orders (id int PRIMARY KEY, legacy text);
CREATE VIEW behind AS SELECT id FROM users;
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE FUNCTION report() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM users; END;
"""
USERS, LEGACY, MOOD = "table:public.users", "column:public.orders.legacy", "enum:public.mood"
NEW_USERS, NEW_LEGACY = "users_deprecated_20261101_unused", "legacy_deprecated_20261101_unused"
DAY = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def snapshot(server18: ThrowawayServer) -> Iterator[Snapshot]:
    for database in fresh_database(server18):
        run(database.db, SCRIPT)
        attic = Attic(database.db)
        for element in (USERS, LEGACY, MOOD):
            attic.put(element, DAY)
        yield read_snapshot(database.db)


def called(
    snapshot: Snapshot, *texts: str, role: str = "app", version: int = 180000, **given: bool
) -> Called:
    entries = [Entry(number, True, role, True, text, 3, 1, 0.5) for number, text in enumerate(texts)]
    known = replace(snapshot, server_version=version)
    return CalledReader().read(entries, known, {"pgattic"}, **{"sees_nested": True, **given})


def used(found: Called) -> set[str]:
    return {row["element"] for row in found.rows if row["operation"] is not None}


def doubtful(found: Called) -> set[str | None]:
    return {row["element"] for row in found.rows if row["operation"] is None}


@pytest.mark.parametrize(
    ("text", "element", "after_rename"),
    [
        (f"SELECT name FROM {NEW_USERS}", USERS, True),
        # The text is older than the rename, what it stands for goes on being called.
        ("SELECT name FROM users", USERS, False),
        ("SELECT id FROM behind", USERS, False),
        ("SELECT legacy FROM orders", LEGACY, False),
        ("SELECT * FROM orders WHERE id = $1", LEGACY, False),
        ("SELECT $1::mood", MOOD, False),
        # As pg_stat_statements writes them, and no grammar reads them.
        (f"SELECT now() - interval $1, date $2 FROM {NEW_USERS}", USERS, True),
        (f"DECLARE c CURSOR FOR SELECT name FROM {NEW_USERS} LIMIT $1", USERS, True),
    ],
)
def test_a_text_is_understood_as_a_line_of_a_log_would_be(
    snapshot: Snapshot, text: str, element: str, after_rename: bool
) -> None:
    found = called(snapshot, text, version=150000)
    assert used(found) == {element}
    assert not doubtful(found)
    assert {row["after_rename"] for row in found.rows} == {after_rename}
    assert {row["calls"] for row in found.rows} == {3}


@pytest.mark.parametrize(
    "text",
    [
        "SAVEPOINT $1",
        "RELEASE $1",
        "SET LOCAL lock_timeout = $1",
        "FETCH $1 FROM c",
        "SELECT id, status FROM orders",
        "SELECT count(*) AS n FROM orders ORDER BY n",
        "WITH recent AS (SELECT id FROM orders) SELECT id FROM recent FOR UPDATE OF recent",
        "SELECT ctid FROM orders",
        "SELECT count(*) FROM pg_class",
    ],
)
@pytest.mark.parametrize("version", [150000, 180000])
def test_what_has_nothing_to_do_with_the_attic_says_nothing(
    snapshot: Snapshot, text: str, version: int
) -> None:
    assert called(snapshot, text, version=version).rows == ()


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        # Any relation may stand behind an alias, with columns of these numbers.
        ("SELECT o.id FROM orders o", {USERS}),
        ("SELECT u.id, u.status FROM orders u", {USERS}),
        ("SELECT x.name FROM behind x, pg_class y", {USERS, LEGACY}),
        ("SELECT x.relname FROM pg_class x", {USERS, LEGACY}),
        ("UPDATE orders o SET status = $1", {USERS}),
        # The same name in another schema.
        ("SELECT id, legacy FROM other.orders", {LEGACY}),
        ("SELECT id FROM other.orders", set()),
    ],
)
def test_from_18_on_names_and_aliases_may_hide_a_use(snapshot: Snapshot, text: str, hidden: set[str]) -> None:
    found = called(snapshot, text, version=180000)
    assert doubtful(found) | (used(found) & hidden) == hidden
    assert not doubtful(called(snapshot, text, version=150000))


def test_before_18_a_name_that_nothing_has_may_be_an_older_one(snapshot: Snapshot) -> None:
    found = called(snapshot, "SELECT id FROM people", version=150000)
    assert [(row["element"], row["statement_id"]) for row in found.rows] == [(None, "0")]
    assert not called(snapshot, "SELECT id FROM people", version=180000).rows


@pytest.mark.parametrize("version", [150000, 180000])
def test_a_column_that_its_table_has_not_may_be_an_older_name(snapshot: Snapshot, version: int) -> None:
    assert doubtful(called(snapshot, "SELECT remark FROM orders", version=version)) == {LEGACY}


@pytest.mark.parametrize(
    "text", ["THIS IS NO SQL", "SELECT pg_stat_statements_reset($1, $2, $3)", "SELECT $1 FROM FROM orders"]
)
def test_what_cannot_be_read_may_have_used_anything(snapshot: Snapshot, text: str) -> None:
    assert None in doubtful(called(snapshot, text))


def test_a_block_that_makes_statements_is_told_by_its_statements_or_by_nothing(snapshot: Snapshot) -> None:
    text = "DO $$ BEGIN EXECUTE 'SELECT ' || 1; END $$"
    assert doubtful(called(snapshot, text)) == set()
    assert doubtful(called(snapshot, text, sees_nested=False)) == {None}


@pytest.mark.parametrize(
    "text",
    [
        f"ALTER TABLE public.users RENAME TO {NEW_USERS}",
        f"COMMENT ON TABLE public.{NEW_USERS} IS 'deprecated; by pgattic'",
        f"CREATE TRIGGER sensor BEFORE INSERT ON {NEW_USERS} EXECUTE FUNCTION pgattic.sense()",
        f"ALTER TABLE {NEW_USERS} ENABLE ALWAYS TRIGGER sensor",
        f"DROP TRIGGER sensor ON {NEW_USERS}",
        f"GRANT SELECT ON {NEW_USERS} TO auditor",
        f"REVOKE SELECT ON {NEW_USERS} FROM auditor",
        f"CREATE OR REPLACE VIEW users AS SELECT * FROM {NEW_USERS}",
        f"LOCK TABLE public.{NEW_USERS} IN ACCESS SHARE MODE",
        f"SELECT {OWN_NOTE} count(*) FROM {NEW_USERS}",
        "SELECT c.relname FROM pg_class c",
    ],
)
def test_what_pgattic_does_itself_is_no_use(snapshot: Snapshot, text: str) -> None:
    assert called(snapshot, text, role="pgattic").rows == ()
    assert called(snapshot, text, role="app").rows


@pytest.mark.parametrize(
    "text",
    [
        f"SELECT * FROM {NEW_USERS}",
        f"LOCK TABLE {NEW_USERS}",
        f"COPY {NEW_USERS} TO STDOUT",
        # Reads no relation but the server's own, for all that can be seen of it.
        "SELECT report()",
        "SELECT relname, report() FROM pg_class",
        "EXPLAIN ANALYZE SELECT report()",
    ],
)
def test_what_its_role_does_by_hand_is_one(snapshot: Snapshot, text: str) -> None:
    assert USERS in used(called(snapshot, text, role="pgattic"))


def test_another_database_is_passed_over(snapshot: Snapshot) -> None:
    elsewhere = Entry(1, True, "app", False, f"SELECT * FROM {NEW_USERS}", 3, 1, 0.5)
    assert CalledReader().read([elsewhere], snapshot, set(), sees_nested=True).rows == ()


def test_texts_are_looked_into_once(snapshot: Snapshot) -> None:
    class Counting(Statements):
        asked = 0

        def of(self, sql: str):  # type: ignore[no-untyped-def]
            self.asked += 1
            return super().of(sql)

    statements = Counting()
    reader = CalledReader(statements)
    entries = [Entry(1, True, "app", True, f"SELECT * FROM {NEW_USERS}", 3, 1, 0.5)]
    first = reader.read(entries, snapshot, set(), sees_nested=True)
    asked = statements.asked
    # The same catalog at another time, when its tables have grown.
    grown = tuple(replace(each, total_bytes=each.total_bytes + 8192) for each in snapshot.relations)
    later = replace(snapshot, taken_at=datetime.now(UTC), relations=grown)
    assert reader.read(entries, later, set(), sees_nested=True) == first
    assert statements.asked == asked
    # Another catalog gives texts another meaning.
    assert reader.read(entries, replace(later, attic=()), set(), sees_nested=True).rows == ()


def test_another_process_finds_the_same_by_what_is_kept(snapshot: Snapshot, tmp_path: Path) -> None:
    texts = [
        f"SELECT * FROM {NEW_USERS}", "SELECT id FROM other.orders", "SELECT o.id FROM orders o", "no sql",
        "SELECT id FROM people", "SELECT remark FROM orders", "SELECT x.relname FROM pg_class x",
    ]  # fmt: skip
    entries = [Entry(number, True, "app", True, text, 3, 1, 0.5) for number, text in enumerate(texts)]

    def read(known: Snapshot) -> tuple[Called, int]:
        """What a process finds, and how many texts it looks into."""
        looked_into = []

        class Watched(Meanings):
            def keep(self, text: str, *found: Any) -> None:
                looked_into.append(text)
                super().keep(text, *found)

        kept = Watched(tmp_path / "known")
        found = CalledReader(kept=kept).read(entries, known, set(), sees_nested=True)
        kept.save()
        return found, len(looked_into)

    for version in (150000, 180000):
        known = replace(snapshot, server_version=version)
        without = CalledReader().read(entries, known, set(), sees_nested=True)
        assert read(known) == (without, len(texts))
        # Of what is used nothing is kept.
        assert read(known) == (without, 1)
    elsewhere = replace(known, attic=known.attic[1:])
    assert read(elsewhere)[1] == len(texts)


def test_all_that_a_snapshot_says_decides_what_texts_mean(snapshot: Snapshot) -> None:
    """But for what cannot: its time while no name changes, its name, room for locks, bytes of a log.

    Each text is kept with its search_path.
    """

    def other(value: Any) -> Any:
        match value:
            case tuple():
                return (*value, value[0] if value else "more")
            case datetime():
                return value + timedelta(seconds=1)
            case int():
                return value + 1
            case _:
                return f"{value}?"

    decided_by = _what_is_there(snapshot)
    changed = {
        each.name: replace(snapshot, **{each.name: other(getattr(snapshot, each.name))})
        for each in fields(snapshot)
    }
    same = {name for name, each in changed.items() if _what_is_there(each) == decided_by}
    assert same == {"database", "taken_at", "max_locks", "encoding", "search_paths"}
    assert _what_is_there(replace(snapshot, taken_at=DAY - timedelta(days=1))) != decided_by


def test_a_column_that_somebody_renamed_again_may_be_hidden(snapshot: Snapshot) -> None:
    relations = tuple(
        replace(
            each, columns=tuple(replace(c, name=c.name.replace(NEW_LEGACY, "older")) for c in each.columns)
        )
        for each in snapshot.relations
    )
    assert LEGACY in doubtful(called(replace(snapshot, relations=relations), "SELECT o.id FROM orders o"))


def test_nothing_is_kept_of_what_may_be_a_constant(snapshot: Snapshot) -> None:
    found = called(snapshot, f"DO $$ BEGIN PERFORM 's3cret' FROM {NEW_USERS}; END $$", f"no sql {NEW_USERS}")
    assert used(found) >= {USERS}
    assert found.texts == ()


def test_only_what_is_planned_counts() -> None:
    assert planned("COMMENT ON TABLE t IS 'x'") is None
    assert planned("SELECT FROM WHERE") is None
    found = planned("INSERT INTO a SELECT b.x AS y FROM s.b b JOIN c ON true")
    assert found is not None
    assert found.relations == {((None, "a"), False), (("s", "b"), True), ((None, "c"), False)}
    assert found.outputs == {"y"}
