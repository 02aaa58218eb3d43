"""Counted uses that lines explain, and those that nobody does."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from analytics.counting import Step
from analytics.readiness import Readiness, Verdict
from analytics.reconciliation import KnownScans, reconcile
from catalog.database import Database, load_sql
from ingest.store import Store
from migrations.backup import SCANS_PER_BACKUP
from tests.analytics.evidence import DAY, NOW, access, hourly, write
from tests.analytics.test_readiness import POLICY, judge, see_everything
from tests.analytics.world import SCRIPT, Attic, run
from tests.fix_server import FreshDatabase
from tests.ingest.test_collect import sample

USERS = "table:public.users_old"


def step(days_ago: float, reads: int = 1, writes: int = 0, node: str = "primary") -> Step:
    end = NOW - days_ago * DAY
    return Step(node, end - DAY, end, reads, writes)


def dump(days_ago: float, scans: int = 1, node: str = "primary", by: str = "pg_dump") -> KnownScans:
    return KnownScans(node, NOW - days_ago * DAY, scans, by)


@pytest.mark.parametrize(
    ("steps", "known", "uses", "explained"),
    [
        pytest.param([], [], 0, {}, id="nothing counted"),
        pytest.param([step(1, 3)], [], 3, {}, id="nothing explains it"),
        pytest.param([step(1)], [dump(1.5)], 0, {"pg_dump": 1}, id="a dump in between"),
        pytest.param([step(1)], [dump(2.5)], 0, {"pg_dump": 1}, id="a dump that took long"),
        pytest.param([step(1)], [dump(3.5)], 1, {}, id="a dump of the day before"),
        pytest.param([step(1)], [dump(0.5)], 1, {}, id="a dump after it"),
        pytest.param([step(1)], [dump(1.5, node="replica")], 1, {}, id="a dump of another server"),
        pytest.param([step(1, 3)], [dump(1.5)], 2, {"pg_dump": 1}, id="one dump explains one scan"),
        pytest.param([step(1), step(2)], [dump(2.5)], 1, {"pg_dump": 1}, id="and that once"),
        pytest.param([step(1, 2, 5)], [dump(1.5, 2, by="pgattic")], 5, {"pgattic": 2}, id="no dump writes"),
    ],
)
def test_what_known_readers_explain(
    steps: list[Step], known: list[KnownScans], uses: int, explained: dict[str, int]
) -> None:
    found = reconcile(steps, known)
    assert (found.uses, dict(found.explained)) == (uses, explained)
    assert (found.last_at is None) == (uses == 0)


def test_a_dump_explains_no_look_and_no_rewrite() -> None:
    steps = [replace(step(1), looks=1), replace(step(2, 0), rewrites=1)]
    found = reconcile(steps, [dump(1.5), dump(2.5)])
    assert (found.reads, found.looks, found.rewrites, found.uses, found.unexplained) == (0, 1, 1, 2, 2)
    assert found.last_at == NOW - DAY


def test_what_lines_show_is_a_use_that_is_explained() -> None:
    found = reconcile([step(1, 5)], [dump(1.5)], seen={"primary": 3})
    assert (found.uses, found.unexplained) == (4, 1)
    assert reconcile([step(1, 5)], [], seen={"primary": 9}).unexplained == 0
    # A line of another server explains nothing here.
    assert reconcile([step(1, 5)], [], seen={"replica": 9}).unexplained == 5


def test_only_uses_after_a_moment_matter() -> None:
    found = reconcile([step(9, 5), step(1, 2)], [], since=NOW - 5 * DAY)
    assert (found.uses, found.last_at) == (2, NOW - DAY)


def test_a_backup_is_noted_with_as_many_scans_as_it_makes() -> None:
    assert f" {SCANS_PER_BACKUP} AS scans" in load_sql("catalog", "own_scans")


# With a real server: the dump counts a scan, and only a line that says so explains it.


@pytest.fixture
def attic(database18: FreshDatabase) -> Attic:
    run(database18.db, SCRIPT)
    return Attic(database18.db)


def copied(attic: Attic, application: str, times: int = 1) -> None:
    """Read the table as pg_dump does."""
    (name,) = [
        row["relname"]
        for row in attic.db.fetch(
            "SELECT relname FROM pg_class WHERE relname LIKE 'users_old_dep%' AND relkind = 'r'"
        )
    ]
    with Database.connect(attic.db.where, application_name=application) as other:
        for _ in range(times):
            other.execute(f"COPY {name} TO '/dev/null'")


def logged_copy(
    data: Path, application: str, at: datetime, text: str = "COPY x TO stdout", **given: object
) -> None:
    write(data, "statement", {"statement_id": text, "text": text, "first_seen_at": at})
    line = {"application": application, "statement_id": text, **given}
    write(data, "usage_hourly", hourly(USERS, at, **line))


def judged(attic: Attic, data: Path) -> Readiness:
    return judge(attic, data)[USERS]


def test_a_nightly_dump_is_told_apart_where_a_line_says_so(attic: Attic, tmp_path: Path) -> None:
    attic.put(USERS, datetime.now(UTC))
    see_everything(tmp_path)
    copied(attic, "pg_dump")
    without = judged(attic, tmp_path)
    assert (without.verdict, "1 unexplained use" in " ".join(without.reasons)) == (Verdict.NOT_READY, True)
    logged_copy(tmp_path, "pg_dump", datetime.now(UTC))
    found = judged(attic, tmp_path)
    assert (found.verdict, found.reasons) == (Verdict.READY, ())
    told = " ".join(rule.finding for rule in found.rules)
    assert "counters unchanged in 30 days (not counted: 1 by pg_dump)" in told
    assert "no use seen since the rename" in told
    copied(attic, "somebody")
    assert judged(attic, tmp_path).verdict is Verdict.NOT_READY


@pytest.mark.parametrize(
    ("application", "text", "given"),
    [
        pytest.param("etl", "COPY x TO stdout", {}, id="a reader that nobody knows"),
        pytest.param("pg_dump", "LOCK TABLE x IN ACCESS SHARE MODE", {}, id="a lock is no scan"),
        pytest.param("pg_dump", "COPY x TO stdout", {"outcome": "error"}, id="a dump that failed"),
        pytest.param("pg_dump", "COPY x FROM stdin", {"operation": "write"}, id="a restore writes"),
        pytest.param("pg_dump", "COPY x TO stdout", {"node": "replica"}, id="a dump of a replica"),
    ],
)
def test_nothing_else_explains_a_scan(
    attic: Attic, tmp_path: Path, application: str, text: str, given: dict[str, object]
) -> None:
    attic.put(USERS, datetime.now(UTC) - timedelta(hours=1))
    see_everything(tmp_path)
    copied(attic, "pg_dump")
    logged_copy(tmp_path, application, datetime.now(UTC), text, **given)
    assert judged(attic, tmp_path).verdict is Verdict.NOT_READY


def test_a_copy_that_is_logged_and_audited_is_one_scan(attic: Attic, tmp_path: Path) -> None:
    attic.put(USERS, datetime.now(UTC) - timedelta(hours=1))
    see_everything(tmp_path)
    copied(attic, "pg_dump", 2)
    for source in ("log", "audit"):
        logged_copy(tmp_path, "pg_dump", datetime.now(UTC), source=source)
    assert "1 scan or written row counted" in " ".join(judged(attic, tmp_path).reasons)


def test_samples_say_when_a_use_was_so_that_it_becomes_history(attic: Attic, tmp_path: Path) -> None:
    attic.put(USERS, datetime.now(UTC) - timedelta(hours=1))
    see_everything(tmp_path)
    copied(attic, "etl")
    sample(Store(tmp_path), attic.db.where)
    now = judge(attic, tmp_path, policy=POLICY)[USERS]
    assert now.earliest is not None
    later = judge(attic, tmp_path, timedelta(days=31), policy=POLICY)[USERS]
    assert (now.verdict, later.verdict) == (Verdict.NOT_READY, Verdict.READY)
    assert abs(now.earliest - datetime.now(UTC) - timedelta(days=30)) < timedelta(minutes=10)


@pytest.mark.parametrize(
    ("line", "unexplained"),
    [
        pytest.param({}, 0, id="a line that says who read it"),
        pytest.param({"outcome": "error", "source": "error", "sqlstate": "42P01"}, 1, id="it read nothing"),
        pytest.param(
            {"outcome": "error", "source": "error", "sqlstate": "57014"}, 0, id="it had begun to read"
        ),
        pytest.param({"node": "replica"}, 1, id="it read another server's"),
    ],
)
def test_a_line_explains_what_was_read_there(
    attic: Attic, tmp_path: Path, line: dict[str, object], unexplained: int
) -> None:
    attic.put(USERS, datetime.now(UTC) - timedelta(hours=1))
    see_everything(tmp_path)
    copied(attic, "etl")
    read = {"element": USERS, "outcome": "ok", "source": "log", "operation": "read", "sqlstate": None}
    write(tmp_path, "access", access(datetime.now(UTC), **read | line))
    told = " ".join(judged(attic, tmp_path).reasons)
    assert ("1 unexplained use" in told, "lines of the log say whose" in told) == (
        bool(unexplained),
        not unexplained,
    )
