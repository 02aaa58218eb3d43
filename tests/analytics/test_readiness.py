"""Readiness against a real catalog, real counters and real evidence."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from analytics.grounds import Grounds
from analytics.readiness import Readiness, Verdict, readiness
from analytics.store import Evidence
from catalog.database import Database
from catalog.settings import PolicySettings
from ingest.collect import Node, collect
from ingest.schemas import Source
from ingest.store import Store
from tests.analytics.evidence import DAY, access, covered, hourly, write
from tests.analytics.world import SCRIPT, Attic, observe, run
from tests.fix_server import FreshDatabase
from tests.visibility.world import flush

POLICY = PolicySettings(
    cooling_off_days=0, quiet_days=30, coverage_wanted=0.99, month_ends=0, collect_max_gap_hours=2400
)
LATER = timedelta(days=40)
ELEMENTS = [
    "table:public.users_old",
    "column:public.orders.legacy",
    "index:public.orders_status_idx",
    "constraint:public.orders.orders_status_again",
    "enum:public.mood",
]


@pytest.fixture
def attic(database18: FreshDatabase) -> Attic:
    run(database18.db, SCRIPT)
    return Attic(database18.db)


@pytest.fixture
def any_attic(database: FreshDatabase) -> Attic:
    run(database.db, SCRIPT)
    return Attic(database.db)


def judge(
    attic: Attic,
    data: Path,
    after: timedelta = timedelta(hours=1),
    policy: PolicySettings = POLICY,
    nodes: tuple[str, ...] = ("primary",),
) -> dict[str, Readiness]:
    snapshot, counters, now = observe(attic.db)
    now += after
    counters = replace(counters, taken_at=now)
    with Evidence.open(data) as evidence:
        found = readiness(Grounds(snapshot, counters, evidence, policy, now, nodes))
    return {str(one.element): one for one in found}


def see_everything(data: Path, *besides: Source) -> None:
    now = datetime.now(UTC)
    write(data, "coverage", covered(now - 100 * DAY, now + 100 * DAY, Source.ERROR, *besides))


def sample(database: FreshDatabase, data: Path) -> None:
    connect = partial(Database.connect, database.dsn())
    assert not collect([Node("primary", connect)], Store(data), lambda: datetime.now(UTC)).failed


CHECKED = {
    "constraint:public.orders.orders_status_again": "INSERT INTO orders VALUES (2, 'new')",
    "constraint:public.users_old.users_old_pkey": "INSERT INTO users_old VALUES (2)",
    "index:public.orders_code": "UPDATE orders SET status = 'done'",
    "constraint:public.lines.lines_order_fkey": "INSERT INTO lines VALUES (1)",
    "constraint:public.lines.lines_qty_check": "INSERT INTO lines VALUES (NULL, 1)",
}


@pytest.mark.parametrize("element", CHECKED)
@pytest.mark.parametrize("written", [True, False], ids=["written", "untouched"])
def test_rows_that_a_constraint_checked(
    any_attic: Attic, database: FreshDatabase, tmp_path: Path, element: str, written: bool
) -> None:
    run(
        any_attic.db,
        "CREATE UNIQUE INDEX orders_code ON orders (legacy);\n"
        "CREATE TABLE lines (order_id int CONSTRAINT lines_order_fkey REFERENCES orders,"
        " qty int CONSTRAINT lines_qty_check CHECK (qty > 0)) PARTITION BY LIST (qty);\n"
        "CREATE TABLE lines_1 PARTITION OF lines DEFAULT;\n"
        "INSERT INTO orders VALUES (1, 'new');\n"
        "SELECT pg_stat_force_next_flush();\n",
    )
    sample(database, tmp_path)
    any_attic.put(element, datetime.now(UTC))
    see_everything(tmp_path, Source.LOG)
    if written:
        # Counters come with the end of the session.
        with Database.connect(database.dsn()) as other:
            other.execute(CHECKED[element])
    found = judge(any_attic, tmp_path)[element]
    assert found.verdict is (Verdict.NOT_READY if written else Verdict.READY), found.reasons
    if written:
        assert "it checked 1 row written to public." in findings(found)
        own = PolicySettings.model_validate({**POLICY.model_dump(), "enforcement_is_use": False})
        decided = judge(any_attic, tmp_path, policy=own)[element]
        assert "it checked" not in findings(decided)
        assert "a person decided" in " ".join(decided.notes)


def test_a_constraint_that_is_not_enforced_checks_nothing(attic: Attic, tmp_path: Path) -> None:
    run(attic.db, "ALTER TABLE orders ADD CONSTRAINT later CHECK (status <> 'x') NOT ENFORCED;\n")
    element = "constraint:public.orders.later"
    attic.put(element, datetime.now(UTC))
    see_everything(tmp_path, Source.LOG)
    found = judge(attic, tmp_path)[element]
    assert "no row checked by it" not in [rule.name for rule in found.rules]


def findings(found: Readiness) -> str:
    return " / ".join(found.reasons)


def test_all_kinds_can_be_ready(any_attic: Attic, database: FreshDatabase, tmp_path: Path) -> None:
    # Whose rows a constraint checks is counted by samples alone: the rename notes the counters of its index.
    sample(database, tmp_path)
    for element in ELEMENTS:
        any_attic.put(element, datetime.now(UTC))
    see_everything(tmp_path, Source.LOG)
    found = judge(any_attic, tmp_path)
    assert {name: one.reasons for name, one in found.items()} == dict.fromkeys(ELEMENTS, ())
    assert {one.verdict for one in found.values()} == {Verdict.READY}


def test_an_old_session_of_a_standby_is_in_the_way_until_a_later_look(attic: Attic, tmp_path: Path) -> None:
    """It can use a compiled plan, or plan again, without a trace, as one of the primary can."""
    now, both_nodes = datetime.now(UTC), ("primary", "replica")
    attic.put("enum:public.mood", now)
    see_everything(tmp_path, Source.LOG)
    seen = covered(now - 100 * DAY, now + 100 * DAY, Source.ERROR, Source.LOG, node="replica")
    write(tmp_path, "coverage", seen)
    for hour, began, verdict in (
        (1, now - DAY, Verdict.NOT_READY),
        (2, now + timedelta(hours=1), Verdict.READY),
        (3, None, Verdict.READY),
    ):
        look = {"node": "replica", "sampled_at": now + timedelta(hours=hour), "oldest_session_at": began}
        write(tmp_path, "sample", look)
        found = judge(attic, tmp_path, nodes=both_nodes)["enum:public.mood"]
        assert found.verdict is verdict, found.reasons
        assert ("the oldest session of a client began" in findings(found)) is (hour == 1)


def test_nothing_in_the_attic_gives_nothing(attic: Attic, tmp_path: Path) -> None:
    assert judge(attic, tmp_path) == {}


def test_without_any_log_nothing_is_ready(attic: Attic, tmp_path: Path) -> None:
    for element in ELEMENTS:
        attic.put(element, datetime.now(UTC))
    assert {one.verdict for one in judge(attic, tmp_path).values()} == {Verdict.UNKNOWN}


def test_a_failing_statement_is_in_the_way_until_it_is_history(attic: Attic, tmp_path: Path) -> None:
    at = datetime.now(UTC)
    attic.put("table:public.users_old", at)
    see_everything(tmp_path)
    # The log says milliseconds only, so a use right after the rename seems to come before it.
    write(tmp_path, "access", access(at.replace(microsecond=at.microsecond // 1000 * 1000)))
    found = judge(attic, tmp_path)["table:public.users_old"]
    assert found.verdict is Verdict.NOT_READY
    assert "1 use seen since the rename by monthly_report" in findings(found)
    assert found.earliest is not None
    assert judge(attic, tmp_path, LATER)["table:public.users_old"].verdict is Verdict.READY


def test_uses_before_the_rename_do_not_matter(attic: Attic, tmp_path: Path) -> None:
    at = datetime.now(UTC)
    attic.put("table:public.users_old", at)
    see_everything(tmp_path)
    write(tmp_path, "access", access(at - DAY))
    assert judge(attic, tmp_path)["table:public.users_old"].verdict is Verdict.READY


def test_a_use_known_from_hourly_counts_alone_is_a_use(attic: Attic, tmp_path: Path) -> None:
    at = datetime.now(UTC)
    attic.put("enum:public.mood", at)
    see_everything(tmp_path)
    write(tmp_path, "usage_hourly", hourly("enum:public.mood", at + timedelta(seconds=1), uses=5))
    assert "5 uses seen" in findings(judge(attic, tmp_path)["enum:public.mood"])


def test_a_use_of_a_column_whose_table_went_first_is_seen(attic: Attic, tmp_path: Path) -> None:
    at = datetime.now(UTC)
    table = attic.put("table:public.users_old", at)
    attic.put(f"column:public.{table}.name", at)
    see_everything(tmp_path)
    # Ingestion knows both by their former names.
    write(tmp_path, "access", access(at + DAY, element="column:public.users_old.name"))
    found = judge(attic, tmp_path, timedelta(days=2))
    assert "1 use seen" in findings(found[f"column:public.{table}.name"])


def test_scans_that_no_log_explains_are_in_the_way(
    any_attic: Attic, database: FreshDatabase, tmp_path: Path
) -> None:
    name = any_attic.put("table:public.users_old", datetime.now(UTC))
    see_everything(tmp_path)
    with database.db.connect(database.dsn()) as other:
        other.fetch(f"SELECT * FROM {name}")
        flush(other)
    found = judge(any_attic, tmp_path)["table:public.users_old"]
    assert found.verdict is Verdict.NOT_READY
    assert "1 scan or written row counted since the rename, 1 unexplained use" in findings(found)
    assert found.earliest is not None
    assert found.earliest - datetime.now(UTC) > timedelta(days=29)


def test_counters_that_were_reset_leave_a_gap(any_attic: Attic, tmp_path: Path) -> None:
    any_attic.put("table:public.users_old", datetime.now(UTC) - timedelta(hours=1))
    see_everything(tmp_path)
    any_attic.db.fetch("SELECT pg_stat_reset()")
    found = judge(any_attic, tmp_path)["table:public.users_old"]
    assert found.verdict is Verdict.UNKNOWN
    assert "of the time since the rename was watched by counter or audit, 99 % wanted" in findings(found)


@pytest.mark.parametrize(
    ("element", "statement", "says"),
    [
        ("table:public.users_old", "CREATE TABLE users_old (id int)", "public.users_old exists again"),
        (
            "table:public.users_old",
            "CREATE VIEW users_old AS SELECT 1 AS id",
            "public.users_old exists again",
        ),
        ("column:public.orders.legacy", "ALTER TABLE orders ADD legacy int", "legacy exists again"),
        ("index:public.orders_status_idx", "CREATE INDEX orders_status_idx ON orders (id)", "exists again"),
        ("enum:public.mood", "CREATE TYPE mood AS ENUM ('x')", "public.mood exists again"),
        ("table:public.users_old", "CREATE VIEW v AS SELECT name FROM {new}", "view public.v refers to it"),
        ("enum:public.mood", "CREATE TABLE t (m {new})", "column public.t.m has its type"),
        (
            "table:public.users_old",
            "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS 'begin perform 1 from USERS_OLD; end'",
            "function public.f mentions it",
        ),
        (
            "table:public.users_old",
            "ALTER TABLE {new} RENAME TO elsewhere",
            "renamed it to table:public.elsewhere",
        ),
        ("table:public.users_old", "DROP TABLE {new}", "gone from the catalog"),
        ("column:public.orders.legacy", "ALTER TABLE orders DROP COLUMN {new}", "gone from the catalog"),
    ],
)
def test_what_the_catalog_says_against_it(
    attic: Attic, tmp_path: Path, element: str, statement: str, says: str
) -> None:
    new = attic.put(element, datetime.now(UTC))
    see_everything(tmp_path)
    attic.db.execute(statement.format(new=new))
    found = judge(attic, tmp_path)[element]
    assert (found.verdict, found.earliest) == (Verdict.NOT_READY, None)
    assert says in findings(found)


def test_an_unproved_backup_is_in_the_way(attic: Attic, tmp_path: Path) -> None:
    attic.put("table:public.users_old", datetime.now(UTC), proved=False)
    see_everything(tmp_path)
    assert "no backup" in findings(judge(attic, tmp_path)["table:public.users_old"])


class Asked(Evidence):
    """Evidence that notes the names of the questions."""

    asked: list[str]

    def query(self, name: str, **params: Any) -> pa.Table:
        self.asked = [*getattr(self, "asked", []), name]
        return super().query(name, **params)


def test_each_question_is_asked_once_whatever_the_number_of_elements(attic: Attic, tmp_path: Path) -> None:
    for element in ELEMENTS:
        attic.put(element, datetime.now(UTC))
    see_everything(tmp_path)
    snapshot, counters, now = observe(attic.db)
    write(tmp_path, "sample", {"sampled_at": now, "statements_read_at": now, "statements_reset_at": now})
    with Asked.open(tmp_path) as evidence:
        assert len(readiness(Grounds(snapshot, counters, evidence, POLICY, now))) == len(ELEMENTS)
        assert "calls" in evidence.asked
        assert [name for name in evidence.asked if evidence.asked.count(name) > 1] == []
