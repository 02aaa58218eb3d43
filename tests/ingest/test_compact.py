"""Compaction and retention: fewer files and rows, the same evidence, and no position is lost."""

import json
from datetime import date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from typer.testing import CliRunner

from analytics.coverage import coverage
from analytics.store import Evidence
from ingest.positions import read_positions
from ingest.running import follow, ingest_once
from ingest.schemas import COVERAGE, TABLES, Source
from ingest.store import Store
from ingest.upkeep import keep_up, tidy
from tests.ingest.fix_ingest import NOON, Workplace, missing, record
from tests.ingest.test_cli import configure, make_app

_BATCHES = 20


def follow_some(workplace: Workplace, count: int = _BATCHES, *, days: float = 0) -> None:
    """Follow a log that gets one more use each time, as many times."""
    workplace.vouched = (Source.ERROR,)
    number = 0

    def wait() -> bool:
        nonlocal number
        number += 1
        if number > count:
            return False
        workplace.now = NOON + timedelta(days=days, minutes=number)
        uses = missing("users_old", f"select {number} from users_old", at=workplace.now, line=number)
        workplace.write(f"{days}.csv", uses)
        return True

    wait()
    list(follow(workplace.pipeline(), wait))


def uses(workplace: Workplace) -> dict[str, int]:
    """How often each element was used, by the hourly counts."""
    found: dict[str, int] = {}
    for row in workplace.rows("usage_hourly", "element", "uses"):
        found[str(row["element"])] = found.get(str(row["element"]), 0) + int(str(row["uses"]))
    return found


def claimed(workplace: Workplace, since: datetime, until: datetime) -> float:
    """The part of a time that is covered."""
    with Evidence.open(workplace.data) as evidence:
        return coverage(evidence, Source.ERROR, since, until).fraction


def test_following_leaves_few_files(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.store._FILES_BEFORE_COMPACTION", 8)
    follow_some(workplace)
    store = Store(workplace.data)
    assert all(part.files <= 9 for name in TABLES for part in store.partitions(name))
    assert len(workplace.rows("access", "element")) == _BATCHES


def test_tables_that_grow_together_are_joined_one_after_the_other(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    follow_some(workplace)
    monkeypatch.setattr("ingest.store._FILES_BEFORE_COMPACTION", 5)
    store = Store(workplace.data)

    def scattered() -> int:
        return sum(map(store.is_scattered, TABLES))

    before = scattered()
    assert before > 1
    assert keep_up(store)
    assert scattered() == before - 1
    while keep_up(store):
        pass
    assert scattered() == 0


def test_tidying_changes_no_evidence_and_no_position(workplace: Workplace) -> None:
    follow_some(workplace)
    store = Store(workplace.data)
    before = read_positions(store), uses(workplace), len(workplace.rows("access", "element"))
    fraction = claimed(workplace, NOON, workplace.now)
    done = tidy(store, None, workplace.now)
    assert (read_positions(store), uses(workplace), len(workplace.rows("access", "element"))) == before
    assert claimed(workplace, NOON, workplace.now) == fraction
    assert done.rows_removed == 0
    assert done.kept_since is None
    files = {each.table: each.files for each in done.tables}
    assert all(count <= 1 for count in files.values())
    rows = {name: sum(part.rows for part in store.partitions(name)) for name in TABLES}
    assert (rows["coverage"], rows["usage_hourly"]) == (1, 1)
    for name in ("access", "coverage", "usage_hourly", "statement"):
        origin = next(iter(before[0]))
        assert Store(workplace.data).transaction_version(name, origin) == before[0][origin].offset or (
            name == "statement"
        )
    assert ingest_once(workplace.pipeline()).records == 0
    again = tidy(store, None, workplace.now)
    assert all(each.rows_joined == 0 for each in again.tables)


def test_old_evidence_goes_with_what_was_claimed_of_its_time(workplace: Workplace) -> None:
    follow_some(workplace, 5)
    follow_some(workplace, 5, days=20)
    workplace.write(
        "b.csv", record("statement: select id from users", at=NOON + timedelta(days=20, minutes=9))
    )
    ingest_once(workplace.pipeline())
    store = Store(workplace.data)
    positions = {origin: each.offset for origin, each in read_positions(store).items()}
    done = tidy(store, 10, NOON + timedelta(days=21))
    assert done.kept_since == datetime(2026, 12, 3, tzinfo=NOON.tzinfo)
    removed = {each.table: each.rows_removed for each in done.tables}
    assert (removed["access"], removed["usage_hourly"]) == (5, 5)
    assert {origin: each.offset for origin, each in read_positions(store).items()} == positions
    assert ingest_once(workplace.pipeline()).records == 0
    days = {row["day"] for row in workplace.rows("access", "day")}
    assert days == {date(2026, 12, 12)}
    assert claimed(workplace, NOON, done.kept_since) == 0
    assert claimed(workplace, done.kept_since, NOON + timedelta(days=20)) == 1
    assert claimed(workplace, NOON + timedelta(days=20, minutes=1), NOON + timedelta(days=20, minutes=5)) == 1


def test_a_statement_that_comes_back_is_kept_again(workplace: Workplace) -> None:
    follow_some(workplace, 2)
    pipeline = workplace.pipeline()
    ingest_once(pipeline)
    tidy(pipeline.store, 1, NOON + timedelta(days=30))
    assert workplace.rows("statement", "text") == []
    pipeline.forget()
    workplace.write("b.csv", missing("users_old", "select 7 from users_old", at=NOON + timedelta(days=30)))
    ingest_once(pipeline)
    assert [row["text"] for row in workplace.rows("statement", "text")] == ["select $1 from users_old"]


def test_a_statement_whose_counts_come_next_is_kept(tmp_path: Path) -> None:
    row = {"statement_id": "x", "text": "select 1", "first_seen_at": NOON, "day": NOON.date()}
    store = Store(tmp_path)
    store.append("statement", pa.Table.from_pylist([row], schema=TABLES["statement"]), transaction=None)
    tidy(store, 1, NOON + timedelta(hours=1))
    assert len(store.rows("statement", ["text"])) == 1
    tidy(store, 1, NOON + timedelta(days=2))
    assert len(store.rows("statement", ["text"])) == 0


def test_a_position_outlives_checkpoints_and_cleaning(tmp_path: Path) -> None:
    store = Store(tmp_path)
    row = {"origin": "a", "end_offset": 1, "day": date(2026, 11, 22)}
    for version in range(120):
        rows = pa.Table.from_pylist([row | {"end_offset": version}], schema=COVERAGE)
        store.append("coverage", rows, transaction=("a", version))
    log = tmp_path / "coverage" / "_delta_log"
    assert len(list(log.glob("*.checkpoint.parquet"))) >= 2
    store.compact("coverage", is_thorough=True)
    for name in sorted(path.name for path in log.glob("*.json"))[:-1]:
        # As the cleaning does when they are old enough.
        (log / name).unlink()
    after = Store(tmp_path)
    assert after.transaction_version("coverage", "a") == 119
    assert read_positions(after)["a"].offset == 119


def test_tables_of_an_earlier_version_go_on(workplace: Workplace) -> None:
    old = pa.schema([field for field in COVERAGE if field.name != "unrecognised"])
    row = {
        "node": "primary",
        "origin": "gone",
        "end_offset": 7,
        "sources": ["error"],
        "covered_from": NOON,
        "covered_to": NOON,
        "day": NOON.date(),
    }
    workplace.vouched = (Source.ERROR,)
    write_deltalake(
        workplace.data / "coverage", pa.Table.from_pylist([row], schema=old), partition_by=["day"]
    )
    workplace.write("a.csv", missing("users_old", "select 1 from users_old"))
    assert ingest_once(workplace.pipeline()).records == 1
    tidy(Store(workplace.data), None, workplace.now)
    found = {
        row["origin"]: row["unrecognised"] for row in workplace.rows("coverage", "origin", "unrecognised")
    }
    assert len(found) == 2
    assert found["gone"] in (None, 0)
    assert claimed(workplace, NOON, workplace.now) > 0


def test_the_command_reports_what_was_removed(workplace: Workplace, tmp_path: Path) -> None:
    follow_some(workplace, 3, days=-10)
    app = make_app(configure(tmp_path, "", None))
    told = CliRunner().invoke(app, ["compact", "--json"], catch_exceptions=False)
    tables = {each["table"]: each for each in json.loads(told.stdout)["tables"]}
    assert tables["usage_hourly"]["files"] == 1
    assert tables["usage_hourly"]["rows_removed"] == 0
    told = CliRunner().invoke(app, ["compact", "--keep-days", "1"], catch_exceptions=False)
    assert "access" in told.stdout
    assert workplace.rows("usage_hourly", "element") == []
