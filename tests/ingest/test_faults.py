"""Faults of the world: a full disk, a folder that goes away, a database that does, and two at once."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from catalog.errors import ConnectionFailedError
from ingest.errors import LogsUnavailableError, StoreError
from ingest.knowledge import Knowledge, LastingKnowledge
from ingest.lock import exclusive
from ingest.running import follow, ingest_once
from ingest.schemas import Source
from ingest.store import Store
from tests.ingest.fix_ingest import NOON, Workplace, missing, shop
from tests.ingest.forked import AT_ONCE, NOBODY
from tests.ingest.test_pipeline import an_alert_each, assert_exactly_once, log_lines
from tests.waiting import PATIENCE_SECONDS

_ROOT = Path(__file__).parents[2]


def run_forked(home: Path, *hows: str) -> list[str]:
    """Ingest in processes of their own, as tests.ingest.forked says; the line of each."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.ingest.forked", str(home), *hows],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_SECONDS,
    )
    lines = ran.stdout.splitlines()
    assert len(lines) == len(hows), ran.stderr
    return lines


def test_a_disk_that_is_full_stops_it_with_one_clear_error_and_loses_nothing(workplace: Workplace) -> None:
    workplace.write("a.csv", *log_lines())
    # Files of statements fit, then one of accesses does not; later the log of a table does not.
    for line in run_forked(workplace.folder.parent, "2600", "4000", "5000"):
        assert "StoreError" in line
        assert "is there space" in line
    workplace.alerting = an_alert_each
    ingest_once(workplace.pipeline())
    assert_exactly_once(workplace)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody who may not write")
def test_a_data_directory_that_is_read_only_for_a_while() -> None:
    lines = log_lines()
    # Not in pytest's folder: each start of pytest takes the rights of others to it away.
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        home.chmod(0o755)
        workplace = Workplace(home / "log", home / "data", alerting=an_alert_each)
        workplace.folder.mkdir()
        workplace.write("a.csv", *lines[:10])
        ingest_once(workplace.pipeline())
        workplace.write("a.csv", *lines[10:])
        (line,) = run_forked(home, NOBODY)
        assert "StoreError" in line
        ingest_once(workplace.pipeline())
        assert_exactly_once(workplace)


class _Trouble:
    """Following, with something done before each look, and what was told."""

    def __init__(self, workplace: Workplace, *steps: object) -> None:
        self.told: list[str] = []
        self._steps: Iterator[object] = iter(steps)
        self.results = list(follow(workplace.pipeline(), self._wait, tell=self.told.append))

    def _wait(self) -> bool:
        step = next(self._steps, None)
        if callable(step):
            step()
        return step is not None


def test_a_log_folder_that_goes_away_and_comes_back(workplace: Workplace) -> None:
    lines = log_lines()
    workplace.alerting = an_alert_each
    workplace.write("a.csv", *lines[:9])
    away = workplace.folder.with_name("away")
    found = _Trouble(
        workplace,
        lambda: workplace.folder.rename(away),
        lambda: None,
        lambda: away.rename(workplace.folder),
        lambda: workplace.write("a.csv", *lines[9:]),
    )
    assert len(found.told) == 2
    assert "no such file or folder" in found.told[0]
    assert_exactly_once(workplace)


def test_a_folder_that_was_never_there_ends_it(workplace: Workplace) -> None:
    workplace.folder.rmdir()
    with pytest.raises(LogsUnavailableError):
        _Trouble(workplace)


@pytest.mark.parametrize("commit", range(8))
def test_a_commit_that_fails_while_following_is_made_again(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch, commit: int
) -> None:
    lines = log_lines()
    workplace.alerting = an_alert_each
    workplace.write("a.csv", *lines[:9])
    append, done = Store.append, -1

    def failing(self: Store, name: str, rows: pa.Table, *, transaction: tuple[str, int] | None) -> None:
        nonlocal done
        done += 1 if armed else 0
        if armed and done in (commit, commit + 1):
            raise StoreError("no space left")
        append(self, name, rows, transaction=transaction)

    armed = False

    def arm() -> None:
        nonlocal armed
        armed = True
        workplace.write("a.csv", *lines[9:])

    monkeypatch.setattr(Store, "append", failing)
    found = _Trouble(workplace, arm, *[lambda: None] * 4)
    if done >= commit:
        assert found.told[0].startswith("no space left")
    assert_exactly_once(workplace)


def test_of_two_at_once_only_one_writes(workplace: Workplace) -> None:
    workplace.write("a.csv", *log_lines())
    told = run_forked(workplace.folder.parent, AT_ONCE, AT_ONCE)
    refused = [line for line in told if "AlreadyRunningError" in line]
    assert told.count(f"{AT_ONCE}: done") + len(refused) == 2
    # One that came when the other had ended found nothing to do.
    assert len(refused) <= 1
    with exclusive(workplace.data):
        ingest_once(workplace.pipeline())
    assert_exactly_once(workplace)


def test_a_lost_database_is_told_once_and_nothing_is_claimed_meanwhile(workplace: Workplace) -> None:
    now, told, is_lost = NOON, list[str](), False
    known = Knowledge(shop(), vouched=(Source.ERROR,))

    class Lossy:
        def __call__(self) -> Knowledge:
            if is_lost:
                raise ConnectionFailedError("no answer")
            return known

        def close(self) -> None:
            pass

    knowledge = LastingKnowledge(Lossy(), told.append, lambda: now)  # type: ignore[arg-type]
    assert knowledge().sources("csvlog") == (Source.ERROR,)
    is_lost = True
    for _ in range(5):
        now += timedelta(seconds=3)
        assert knowledge().snapshot is known.snapshot
        assert knowledge().sources("csvlog") == ()
    is_lost = False
    now += timedelta(seconds=9)
    assert knowledge().sources("csvlog") == (Source.ERROR,)
    assert len(told) == 2


def test_memory_stays_bounded_by_a_record_of_any_length(workplace: Workplace) -> None:
    long = missing("users_old", "select '" + "x" * (100 * 1024 * 1024) + "' from users_old")
    workplace.write("a.csv", missing("users_old", "select 1 from users_old"), long)
    workplace.write("a.csv", missing("users_old", "select 2 from users_old", at=NOON + timedelta(minutes=1)))
    ran = subprocess.run(
        [sys.executable, "-c", _MEASURED, str(workplace.folder.parent)],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_SECONDS,
    )
    accesses, peak_bytes = map(int, ran.stdout.split())
    assert accesses == 2
    assert peak_bytes < 512 * 1024 * 1024


_MEASURED = """
import sys
from catalog.lean import without_pandas
without_pandas()
from pathlib import Path
from ingest.running import ingest_once
from tests.ingest.forked import AT_ONCE, NOBODY
from tests.ingest.fix_ingest import Workplace
home = Path(sys.argv[1])
summary = ingest_once(Workplace(home / "log", home / "data").pipeline())
# Not getrusage: that begins with the size of the process that started this one.
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(summary.accesses, int(status["VmHWM"].split()[0]) * 1024)
"""
