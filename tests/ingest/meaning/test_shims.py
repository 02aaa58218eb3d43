"""What goes through a shim is a use of what it keeps working; uses of views, sequences and values."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from catalog.attic import AtticEntry
from catalog.snapshot import Snapshot
from ingest.evidence.accesses import Reader
from ingest.logs.csvlog import read_records
from ingest.meaning.world import History
from tests.ingest.fix_ingest import NOON, entry, record, relation, shop

AFTER = NOON + timedelta(minutes=5)
UNTIL = NOON + timedelta(minutes=10)
LATER = NOON + timedelta(minutes=15)
OLD = "clients_deprecated_20261122_unused"


def soft(element: str, deprecated: str, oid: int, until: datetime | None = None) -> AtticEntry:
    return replace(entry(element, deprecated, oid, until=until), shim_oid=50)


def world(*attic: AtticEntry, is_back: bool = False) -> Snapshot:
    """The shop with tables `clients` and `bills` behind shims, or back under their own names."""
    own = [relation(30, "clients", "id", "email"), relation(31, "bills", "id", "legacy")]
    behind = [
        relation(30, OLD, "id", "email"),
        relation(50, "clients", "id", "email", kind="v"),
        relation(31, "bills_behind_view", "id", "legacy_dep"),
        relation(51, "bills", "id", "legacy", kind="v"),
    ]
    base = shop()
    return replace(base, relations=(*base.relations, *(own if is_back else behind)), attic=attic)


def uses(snapshot: Snapshot, line: bytes) -> list[str]:
    found = Reader(History(snapshot)).observe(read_records(line).records)
    return [f"{each.outcome} {each.use.operation} {each.use.element}" for each in found]


TABLE = (soft("table:public.clients", OLD, 30),)
COLUMN = (replace(soft("column:public.bills.legacy", "legacy_dep", 31), shim_oid=51),)


@pytest.mark.parametrize(
    ("attic", "sql", "expected"),
    [
        (TABLE, "select id from clients", ["table:public.clients", "column:public.clients.id"]),
        (TABLE, f"select id from {OLD}", ["table:public.clients", "column:public.clients.id"]),
        (COLUMN, "select id from bills", ["table:public.bills", "column:public.bills.id"]),
        (COLUMN, "select legacy from bills", ["table:public.bills", "column:public.bills.legacy"]),
        (
            COLUMN,
            "select legacy_dep from bills_behind_view",
            ["table:public.bills", "column:public.bills.legacy"],
        ),
    ],
)
def test_a_shim_is_the_table_under_its_former_names(
    attic: Sequence[AtticEntry], sql: str, expected: list[str]
) -> None:
    found = uses(world(*attic), record(f"statement: {sql}", at=AFTER))
    assert found == [f"ok read {element}" for element in expected]


@pytest.mark.parametrize("moment", [AFTER, LATER])
def test_lines_from_before_a_rollback_are_understood_after_it(moment: datetime) -> None:
    attic = (
        replace(TABLE[0], restored_at=UNTIL),
        replace(COLUMN[0], restored_at=UNTIL),
    )
    snapshot = world(*attic, is_back=True)
    assert uses(snapshot, record("statement: select email from clients", at=moment)) == [
        "ok read table:public.clients",
        "ok read column:public.clients.email",
    ]
    assert uses(snapshot, record("statement: select legacy from bills", at=moment)) == [
        "ok read table:public.bills",
        "ok read column:public.bills.legacy",
    ]


@pytest.mark.parametrize(
    ("element", "sqlstate", "message", "sql"),
    [
        ("view:public.v", "42P01", 'relation "v" does not exist', "select 1 from v"),
        ("sequence:public.s", "42P01", 'relation "s" does not exist', "select nextval('s')"),
        ("matview:public.mv", "42P01", 'relation "mv" does not exist', "refresh materialized view mv"),
        (
            "enum_value:public.mood.ok",
            "22P02",
            'invalid input value for enum mood: "ok"',
            "select 'ok'::mood",
        ),
    ],
)
def test_an_error_tells_the_former_name(element: str, sqlstate: str, message: str, sql: str) -> None:
    snapshot = replace(shop(), attic=(entry(element, "gone_dep", 60),))
    failed = record(message, sqlstate=sqlstate, sql=sql, at=AFTER)
    found = uses(snapshot, failed)
    assert [use.rpartition(" ")[2] for use in found] == [element]
    assert all(use.startswith("error") for use in found)
