"""Exactly once: through kills at every commit, rotation, torn ends and quiet times."""

import gzip
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from ingest.logs.tail import LogFile, Logs
from ingest.node_files import node_file
from ingest.running import follow, ingest_once
from ingest.schemas import ALERT
from ingest.state import STATE_NAME
from ingest.store import Store
from tests.ingest.fix_ingest import NOON, Workplace, missing, record
from tests.waiting import PATIENCE_SECONDS

_LINES = 12


def log_lines(count: int = _LINES, start: int = 0) -> list[bytes]:
    """Failing uses, ordinary statements and damage, a minute apart."""
    found: list[bytes] = []
    for number in range(start, start + count):
        at = NOON + timedelta(minutes=number + 1)
        sql = f"select {number}, * from users_old"
        found.append(missing("users_old", sql, at=at, line=3 * number))
        found.append(
            record(f"statement: select id from users where id = {number}", at=at, line=3 * number + 1)
        )
    found.insert(5, b"damage\n")
    return found


def an_alert_each(accesses: pa.Table, now: object) -> pa.Table:
    """Every access is alarming."""
    rows = [{"rule": "use", "origin": r["origin"], "log_offset": r["log_offset"], "day": r["day"],
             "raised_at": now} for r in accesses.to_pylist()]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=ALERT)


def assert_exactly_once(workplace: Workplace, lines: int = _LINES) -> None:
    """Every record of `log_lines` stands in the tables once."""
    for table in ("access", "alert"):
        places = [(row["origin"], row["log_offset"]) for row in workplace.rows(table, "origin", "log_offset")]
        assert len(places) == len(set(places)) == lines
    counts: dict[object, int] = {}
    for row in workplace.rows("usage_hourly", "element", "uses"):
        counts[row["element"]] = counts.get(row["element"], 0) + int(str(row["uses"]))
    assert counts == {
        "table:public.users_old": lines,
        "table:public.users": lines,
        "column:public.users.id": lines,
    }
    assert len(workplace.rows("reject", "log_offset")) == 1
    statements = [row["text"] for row in workplace.rows("statement", "text")]
    assert sorted(map(str, statements)) == [
        "select $1, * from users_old",
        "select id from users where id = $1",
    ]
    assert sum(int(str(row["records"])) for row in workplace.rows("coverage", "records")) == 2 * lines


def test_a_second_run_finds_nothing_new(workplace: Workplace) -> None:
    workplace.alerting = an_alert_each
    workplace.write("a.csv", *log_lines())
    summary = ingest_once(workplace.pipeline())
    assert (summary.files, summary.records, summary.accesses, summary.rejects) == (1, 24, 12, 1)
    assert ingest_once(workplace.pipeline()).records == 0
    assert_exactly_once(workplace)


class _CrashError(Exception):
    pass


@pytest.mark.parametrize("commit", range(9))
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_at_any_commit_loses_and_doubles_nothing(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch, commit: int, when: str
) -> None:
    workplace.alerting = an_alert_each
    workplace.batch_bytes = workplace.commit_bytes = 2500
    workplace.write("a.csv", *log_lines())
    append, done = Store.append, 0

    def failing(self: Store, name: str, rows: pa.Table, *, transaction: tuple[str, int] | None) -> None:
        nonlocal done
        if done == commit and when == "before":
            raise _CrashError
        append(self, name, rows, transaction=transaction)
        if done == commit:
            raise _CrashError
        done += 1

    with monkeypatch.context() as patch:
        patch.setattr(Store, "append", failing)
        with pytest.raises(_CrashError):
            ingest_once(workplace.pipeline())
    # The file has grown by the time of the next run, and its batches are cut otherwise.
    workplace.write("a.csv", record("statement: select id from users where id = 1", database="other"))
    workplace.batch_bytes = workplace.commit_bytes = 8000
    ingest_once(workplace.pipeline())
    for table in ("coverage",):
        rows = workplace.rows(table, "start_offset", "end_offset", "records")
        assert sum(int(str(row["records"])) for row in rows) == 2 * _LINES + 1
    assert len(workplace.rows("access", "log_offset")) == len(workplace.rows("alert", "log_offset")) == _LINES
    offsets = {row["log_offset"] for row in workplace.rows("access", "log_offset")}
    assert len(offsets) == _LINES
    uses = [int(str(row["uses"])) for row in workplace.rows("usage_hourly", "uses")]
    assert sum(uses) == 3 * _LINES
    assert len(workplace.rows("reject", "log_offset")) == 1


def crash_after(commit: int, workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the logs until so many commits of a table are made, and one more."""
    append, left = Store.append, commit

    def failing(self: Store, name: str, rows: pa.Table, *, transaction: tuple[str, int] | None) -> None:
        nonlocal left
        append(self, name, rows, transaction=transaction)
        if not left:
            raise _CrashError
        left -= 1

    with monkeypatch.context() as patch:
        patch.setattr(Store, "append", failing)
        with pytest.raises(_CrashError):
            ingest_once(workplace.pipeline())


@pytest.mark.parametrize("commit", range(9))
@pytest.mark.parametrize("part", [0.1, 0.6, 0.9])
@pytest.mark.parametrize("has_state", [True, False])
def test_after_a_crash_a_copy_that_is_still_being_made_is_no_whole_file(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch, commit: int, part: float, has_state: bool
) -> None:
    """Log rotation by `copytruncate` shows a part of a file for a moment, and then nothing else of it."""
    workplace.alerting = an_alert_each
    workplace.batch_bytes = workplace.commit_bytes = 2500
    whole = b"".join(log_lines())
    path = workplace.write("a.csv", whole)
    crash_after(commit, workplace, monkeypatch)
    if not has_state:
        node_file(workplace.data, STATE_NAME, "primary").unlink()
    pipeline = workplace.pipeline()
    for length in (int(part * len(whole)), int((part + 0.05) * len(whole)), len(whole)):
        path.write_bytes(whole[:length])
        ingest_once(pipeline)
    assert_exactly_once(workplace)


@pytest.mark.parametrize("commit", [1, 4, 7, 8])
@pytest.mark.parametrize("part", [0.6, 0.9])
@pytest.mark.parametrize("is_settled", [True, False])
def test_after_a_crash_a_compressed_file_that_is_still_on_its_way_is_no_whole_file(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch, commit: int, part: float, is_settled: bool
) -> None:
    workplace.alerting = an_alert_each
    workplace.batch_bytes = workplace.commit_bytes = 2500
    path = workplace.write("a.csv", *log_lines())
    packed = gzip.compress(path.read_bytes())
    crash_after(commit, workplace, monkeypatch)
    path.unlink()
    pipeline = workplace.pipeline()
    for length in (int(part * len(packed)), int((part + 0.05) * len(packed)), len(packed)):
        path.with_suffix(".csv.gz").write_bytes(packed[:length])
        if is_settled:
            # As a machine with another clock writes it.
            os.utime(path.with_suffix(".csv.gz"), (length, length))
        ingest_once(pipeline)
    assert_exactly_once(workplace)


@pytest.mark.parametrize("commit", [1, 3, 5, 8])
@pytest.mark.parametrize("is_settled", [True, False])
def test_after_a_crash_a_file_that_is_renamed_at_that_moment_is_read_once(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch, commit: int, is_settled: bool
) -> None:
    workplace.alerting = an_alert_each
    workplace.batch_bytes = workplace.commit_bytes = 2500
    path = workplace.write("a.csv", *log_lines())
    crash_after(commit, workplace, monkeypatch)
    if is_settled:
        os.utime(path, (1, 1))
    files = Logs.files

    def rotating(self: Logs) -> list[LogFile]:
        found = files(self)
        if path.exists():
            path.rename(path.with_suffix(".1.csv"))
        return found

    pipeline = workplace.pipeline()
    with monkeypatch.context() as patch:
        patch.setattr(Logs, "files", rotating)
        ingest_once(pipeline)
    ingest_once(pipeline)
    assert_exactly_once(workplace)


def test_a_copy_that_is_still_being_made_covers_no_quiet_time(workplace: Workplace) -> None:
    first, last = (record("x", at=NOON + timedelta(minutes=minutes)) for minutes in (0, 1))
    path = workplace.write("a.csv", first, last)
    pipeline = workplace.pipeline()
    ingest_once(pipeline)
    covered_to = workplace.now
    workplace.now += timedelta(hours=1)
    path.write_bytes(first)
    ingest_once(pipeline)
    # Nor does the file that comes after it go on where it ended.
    workplace.write("b.csv", record("x", at=workplace.now))
    workplace.now += timedelta(hours=1)
    ingest_once(pipeline)
    rows = workplace.rows("coverage", "covered_from", "covered_to")
    assert {(row["covered_from"], row["covered_to"]) for row in rows} == {
        (NOON, covered_to),
        (NOON + timedelta(hours=2), NOON + timedelta(hours=3)),
    }


# Importing costs more than a run, so the runs that are killed are forks of one process.
_KILLED = """
import os, signal, sys
import pandas  # pyarrow does it at the first array
from pathlib import Path
from ingest.running import ingest_once
from ingest.store import Store
from tests.ingest.fix_ingest import Workplace
from tests.ingest.test_pipeline import an_alert_each

append = Store.append
home = Path(sys.argv[1])

def run(left):
    def counted(self, name, rows, *, transaction):
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        append(self, name, rows, transaction=transaction)
    Store.append = counted
    place = Workplace(home / "log", home / "data", alerting=an_alert_each)
    place.batch_bytes = place.commit_bytes = 2500
    ingest_once(place.pipeline())

for commits in map(int, sys.argv[2:]):
    child = os.fork()
    if child == 0:
        run(commits)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_kill_9_again_and_again_loses_and_doubles_nothing(workplace: Workplace) -> None:
    workplace.write("a.csv", *log_lines())
    result = subprocess.run(
        [sys.executable, "-c", _KILLED, str(workplace.folder.parent), "0", "1", "2", "4", "3"],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_SECONDS,
    )
    assert result.stdout.split() == [str(-signal.SIGKILL)] * 5
    workplace.alerting = an_alert_each
    ingest_once(workplace.pipeline())
    assert_exactly_once(workplace)


def test_a_torn_last_record_waits_for_its_rest(workplace: Workplace) -> None:
    workplace.alerting = an_alert_each
    whole = b"".join(log_lines())
    path = workplace.write("a.csv", whole[:-30])
    ingest_once(workplace.pipeline())
    with path.open("ab") as file:
        file.write(whole[-30:])
    ingest_once(workplace.pipeline())
    assert_exactly_once(workplace)


def test_rotation_and_renaming_neither_lose_nor_double(workplace: Workplace) -> None:
    workplace.alerting = an_alert_each
    lines = log_lines()
    path = workplace.write("a.csv", *lines[:9])
    ingest_once(workplace.pipeline())
    workplace.write("a.csv", *lines[9:15])
    path.rename(path.with_name("z-old.csv"))
    workplace.write("a.csv", *lines[15:])
    ingest_once(workplace.pipeline())
    ingest_once(workplace.pipeline())
    assert_exactly_once(workplace)


def test_a_rotated_file_hands_its_coverage_on(workplace: Workplace) -> None:
    workplace.write("a.csv", record("x", at=NOON))
    ingest_once(workplace.pipeline())
    workplace.now = NOON + timedelta(hours=5)
    workplace.write("b.csv", record("x", at=NOON + timedelta(hours=4)))
    ingest_once(workplace.pipeline())
    rows = workplace.rows("coverage", "covered_from", "covered_to")
    assert (rows[-1]["covered_from"], rows[-1]["covered_to"]) != (
        rows[0]["covered_from"],
        rows[0]["covered_to"],
    )
    rows.sort(key=lambda row: str(row["covered_from"]))
    assert rows[0]["covered_to"] == rows[1]["covered_from"] == NOON + timedelta(hours=1)
    assert rows[1]["covered_to"] == workplace.now


def test_a_gap_stays_a_gap_when_the_file_before_is_gone(workplace: Workplace) -> None:
    path = workplace.write("a.csv", record("x", at=NOON))
    ingest_once(workplace.pipeline())
    path.unlink()
    workplace.now = NOON + timedelta(days=20)
    workplace.write("c.csv", record("x", at=NOON + timedelta(days=19)))
    ingest_once(workplace.pipeline())
    begins = sorted(str(row["covered_from"]) for row in workplace.rows("coverage", "covered_from"))
    assert begins == [str(NOON), str(NOON + timedelta(days=19))]


def test_quiet_time_is_covered_by_heartbeats_that_move_no_position(workplace: Workplace) -> None:
    workplace.write("a.csv", record("x", at=NOON))
    pipeline = workplace.pipeline()
    ingest_once(pipeline)
    for minutes in (0, 10, 40, 70):
        workplace.now = NOON + timedelta(hours=1, seconds=minutes)
        ingest_once(pipeline)
    rows = workplace.rows("coverage", "start_offset", "end_offset", "records", "covered_from", "covered_to")
    beats = [row for row in rows if row["records"] == 0]
    assert [(row["covered_from"], row["covered_to"]) for row in beats] == [
        (NOON + timedelta(hours=1), NOON + timedelta(hours=1, seconds=70))
    ]
    assert len({row["end_offset"] for row in rows}) == 1
    # As after a kill: the same heartbeat again, then a record; it counts once.
    workplace.write("a.csv", missing("users_old", "select * from users_old", at=workplace.now))
    ingest_once(workplace.pipeline())
    ingest_once(workplace.pipeline())
    assert len(workplace.rows("access", "element")) == 1


def test_a_record_longer_than_a_batch_is_read(workplace: Workplace) -> None:
    workplace.batch_bytes = 100
    workplace.write("a.csv", *log_lines(3))
    assert ingest_once(workplace.pipeline()).records == 6


def test_a_record_longer_than_memory_allows_is_set_aside(workplace: Workplace) -> None:
    workplace.batch_bytes, workplace.max_record_bytes = 500, 2000
    long = missing("users_old", "select '" + "x" * 5000 + "' from users_old")
    after = missing("users_old", "select * from users_old", at=NOON + timedelta(minutes=1))
    workplace.write("a.csv", record("x"), long, after, record("x"))
    summary = ingest_once(workplace.pipeline())
    assert (summary.records, summary.accesses) == (3, 1)
    lengths = [int(str(row["length"])) for row in workplace.rows("reject", "length")]
    assert sum(lengths) == len(long)


def test_damage_at_the_end_of_an_old_file_does_not_wait_for_ever(workplace: Workplace) -> None:
    old = workplace.write("a.csv", record("x"), b'2026-11-22 12:00:01.000 UTC,"torn')
    os.utime(old, (NOON.timestamp(), NOON.timestamp()))
    workplace.write("b.csv", record("x", at=NOON + timedelta(minutes=9)))
    summary = ingest_once(workplace.pipeline())
    assert (summary.records, summary.rejects) == (2, 1)


def test_follow_reads_what_comes(workplace: Workplace) -> None:
    lines = log_lines(4)
    workplace.write("a.csv", lines[0])
    waits = iter(lines[1:])

    def wait() -> bool:
        line = next(waits, None)
        if line is not None:
            workplace.write("a.csv", line)
        return line is not None

    results = list(follow(workplace.pipeline(), wait))
    assert sum(result.records for result in results) == 8


def test_no_constant_reaches_the_evidence(workplace: Workplace) -> None:
    canary = "kanarienvogel"
    broken = record(f'syntax error at or near "{canary}"', sqlstate="42601", sql=f"selec '{canary} {canary}")
    workplace.alerting = an_alert_each
    workplace.write(
        "a.csv",
        missing(
            "users_old", f"select * from users_old where email = '{canary}'", detail=canary, context=canary
        ),
        record(f"statement: insert into users values ('{canary}') -- {canary}"),
        record("execute p: select id from users where email = $1", detail=f"Parameters: $1 = '{canary}'"),
        record(f"statement: do $${canary}$$"),
        record(f"statement: {canary} '{canary}' from users"),
        broken,
        f"{canary} is no record\n".encode(),
    )
    ingest_once(workplace.pipeline())
    for path in workplace.data.rglob("*"):
        assert not path.is_file() or canary.encode() not in path.read_bytes()
    for table, column in (("statement", "text"), ("reject", "reason"), ("access", "via")):
        assert canary not in str(workplace.rows(table, column))
