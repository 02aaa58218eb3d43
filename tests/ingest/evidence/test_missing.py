"""What errors prove, with an SQLSTATE and without one."""

from dataclasses import replace
from datetime import timedelta

import pytest

from catalog.elements import Element
from catalog.errors import StatementFailedError
from catalog.reading import read_snapshot
from ingest.evidence.messages import Message, MessageKind
from ingest.evidence.missing import missing_uses
from ingest.evidence.statements import Statements
from ingest.meaning.world import History
from tests.fix_server import FreshDatabase
from tests.ingest.fix_ingest import NOON, entry, shop
from tests.ingest.golden import shown

ATTIC = (
    entry("constraint:public.orders.orders_check", "orders_check_dep", 70),
    entry("enum_value:public.mood.great", "great_dep", 71),
    entry("sequence:public.numbers", "numbers_dep", 72),
)


def proved(sqlstate: str, text: str, sql: str, token: str | None = None) -> list[str]:
    """What an error proves; its position is where the token stands in the statement."""
    position = sql.index(token) + 1 if token else None
    message = Message(
        MessageKind.ERROR, NOON + timedelta(minutes=5), sql, sqlstate, position, "", None, "", text,
        "ann", "shop", "app", "",
    )  # fmt: skip
    base = shop()
    world = History(replace(base, attic=(*base.attic, *ATTIC))).world(message.occurred_at)
    return [shown(use).replace("public.", "") for use in missing_uses(message, Statements(), world)]


CASES = [
    ("42P01", "x", "select * from users_old", "users_old", ["read table:users_old"]),
    ("42P01", "x", "select nextval('numbers')", "'numbers", ["write sequence:numbers"]),
    ("42P01", "リレーション\"users_old\"は存在しません", "copy users_old to stdout", None,
     ["read table:users_old"]),
    # Of what was prepared before, the position is one in the text of its PREPARE.
    ("42P01", 'relation "users_old" does not exist', "execute q(1, 'abc')", "abc", ["read table:users_old"]),
    ("42703", "x", "update public.orders set legacy = 1", "legacy", ["write column:orders.legacy"]),
    ("42703", "x", "select o.legacy from public.orders o", "o.legacy", ["read column:orders.legacy"]),
    ("42704", "type « mood » n'existe pas", "select 'ok'::mood", "mood", ["read enum:mood"]),
    ("42704", 'index "orders_idx" does not exist', "drop index orders_idx", None, ["ddl index:orders_idx"]),
    ("22P02", 'invalid input value for enum mood: "great"', "select 'great'::mood", "'great",
     ["read enum_value:mood.great"]),
    ("22023", '"great" is not an existing enum label', "alter type mood rename value 'great' to 'x'", None,
     ["read enum_value:mood.great ambiguous"]),
    ("23514", 'new row for relation "orders" violates check constraint "orders_check_dep"',
     "insert into public.orders (id) values (1)", None, ["write constraint:orders.orders_check"]),
    ("23505", "doppelter Schlüsselwert verletzt Unique-Constraint »orders_idx_dep«",
     "insert into public.orders (id) values (1)", None, ["write index:orders_idx"]),
    ("42P01", "x", "select users_old.id from users", "users_old", []),
    ("42501", "permission denied for table users_old", "select * from users", None, []),
    ("23514", 'violates check constraint "another"', "insert into public.orders (id) values (1)", None, []),
]  # fmt: skip


@pytest.mark.parametrize(("sqlstate", "text", "sql", "token", "expected"), CASES)
def test_an_error_proves(sqlstate: str, text: str, sql: str, token: str | None, expected: list[str]) -> None:
    assert proved(sqlstate, text, sql, token) == expected


@pytest.mark.parametrize(("sqlstate", "text", "sql", "token", "expected"), CASES)
def test_without_an_sqlstate_all_that_it_can_mean_is_looked_for(
    sqlstate: str, text: str, sql: str, token: str | None, expected: list[str]
) -> None:
    found = proved("?????", text, sql, token)
    named = {use.removesuffix(" ambiguous").partition(" ")[2] for use in found}
    assert {use.removesuffix(" ambiguous").partition(" ")[2] for use in expected} <= named


def test_other_errors_prove_nothing() -> None:
    assert proved("57014", 'relation "users_old" does not exist', "select * from users_old") == []
    assert Element.parse("table:public.users_old") in {each.element for each in shop().attic}


@pytest.mark.parametrize("part", ["events_2026_q1", "events_2026", "events"])
def test_a_column_that_is_missing_in_a_part_is_missing_in_the_whole(
    database: FreshDatabase, part: str
) -> None:
    db = database.db
    db.execute("CREATE TABLE events (id int, legacy int) PARTITION BY LIST (id)")
    db.execute("CREATE TABLE events_2026 PARTITION OF events FOR VALUES IN (1) PARTITION BY LIST (legacy)")
    db.execute("CREATE TABLE events_2026_q1 PARTITION OF events_2026 FOR VALUES IN (1)")
    db.execute("CREATE TABLE others (id int)")
    oid = db.fetch_value("SELECT 'events'::regclass::oid")
    db.execute("ALTER TABLE events RENAME COLUMN legacy TO legacy_dep")
    attic = (entry("column:public.events.legacy", "legacy_dep", oid),)
    world = History(replace(read_snapshot(db), attic=attic)).world(NOON + timedelta(minutes=5))

    def missed(sql: str) -> list[str]:
        with pytest.raises(StatementFailedError) as caught:
            db.execute(sql)
        assert caught.value.sqlstate == "42703"
        message = Message(
            MessageKind.ERROR, NOON + timedelta(minutes=5), sql, "42703", sql.index("legacy") + 1, "", None,
            "", str(caught.value), "ann", "shop", "app", "",
        )  # fmt: skip
        return [shown(use) for use in missing_uses(message, Statements(), world)]

    assert missed(f"SELECT legacy FROM {part}") == ["read column:public.events.legacy"]
    assert missed(f"UPDATE {part} SET legacy = 1") == ["write column:public.events.legacy"]
    assert missed("SELECT legacy FROM others") == []
