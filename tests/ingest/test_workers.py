"""Several files side by side give what one after the other gives."""

import gzip
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from ingest.errors import WorkerLostError
from ingest.running import ingest_once
from ingest.schemas import TABLES
from ingest.workers import SPOOL_NAME, Workers
from tests.ingest.fix_ingest import NOON, Workplace, missing, record

_FILES = 4
# They tell when a run was, not what was in the log.
_OF_THE_RUN = {"found_at", "read_at", "raised_at"}


def write_files(workplace: Workplace) -> None:
    """Some hours of log: uses, damage, a hole, and a file that is compressed already."""
    for number in range(_FILES):
        began = NOON + timedelta(hours=number)
        lines = [
            missing(
                "users_old",
                f"select {n} from users_old",
                at=began + timedelta(minutes=n),
                line=60 * number + n,
            )
            for n in range(40)
            if (number, n) != (2, 20)
        ]
        lines.insert(9, b"damage\n")
        lines.append(record("statement: select id from users", at=began + timedelta(minutes=55)))
        path = workplace.write(f"{number}.csv", *lines)
        if number == 1:
            path.with_suffix(".csv.gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
    for path in workplace.folder.iterdir():
        os.utime(path, (NOON.timestamp(), NOON.timestamp()))


def everything(workplace: Workplace) -> dict[str, list[str]]:
    """All rows of all tables, but for what tells of the run."""
    found = {}
    for name, schema in TABLES.items():
        columns = [column for column in schema.names if column not in _OF_THE_RUN]
        rows = workplace.rows(name, *columns)
        for row in rows:
            row.pop("path", None)
        found[name] = sorted(map(str, rows))
    return found


@pytest.fixture
def twins(tmp_path: Path) -> tuple[Workplace, Workplace]:
    """The same logs, to be read twice."""
    folder = tmp_path / "log"
    folder.mkdir()
    one = Workplace(folder, tmp_path / "one", batch_bytes=4000, commit_bytes=12_000)
    write_files(one)
    return one, replace(one, data=tmp_path / "many")


def test_many_workers_find_what_one_finds(twins: tuple[Workplace, Workplace]) -> None:
    one, many = twins
    first = ingest_once(one.pipeline())
    assert (first.records, first.rejects, first.accesses) == (
        40 * _FILES - 1 + _FILES,
        _FILES,
        40 * _FILES - 1,
    )
    pipeline = many.pipeline()
    pipeline.workers = 2
    second = ingest_once(pipeline)
    assert replace(second, seconds=first.seconds) == first
    assert everything(many) == everything(one)
    assert not (many.data / SPOOL_NAME).exists()
    assert ingest_once(pipeline).records == 0


def test_what_a_lost_worker_had_read_is_read_again(
    twins: tuple[Workplace, Workplace], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, many = twins
    ingest_once(one.pipeline())
    pipeline = many.pipeline()
    pipeline.workers = 2
    wait, seen = Workers._wait, 0

    def killing(self: Workers) -> None:
        nonlocal seen
        wait(self)
        seen += 1
        if seen == 3:
            for process, _ in self._busy.values():
                process.kill()

    with monkeypatch.context() as patch:
        patch.setattr(Workers, "_wait", killing)
        with pytest.raises(WorkerLostError):
            ingest_once(pipeline)
    # With one worker as with many: what was spooled is not looked at.
    ingest_once(many.pipeline())
    found, wanted = everything(many), everything(one)
    for name in ("access", "reject", "alert"):
        assert found[name] == wanted[name]
