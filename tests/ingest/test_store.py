"""Evidence tables: rows and their position commit together."""

import os
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from ingest import store as store_module
from ingest.errors import StoreError
from ingest.schemas import REJECT, TABLES
from ingest.store import Store

_ROUNDS = 15


def offsets(store: Store) -> list[int]:
    """Which rows the table of rejects holds."""
    return sorted(row["log_offset"] for row in store.rows("reject", ["log_offset"]).to_pylist())


def rows(*offsets: int) -> pa.Table:
    """Rejects at these offsets."""
    found = [
        {"log_offset": offset, "reason": "x", "day": date(2026, 11, offset % 3 + 1)} for offset in offsets
    ]
    return pa.Table.from_pylist(found, schema=REJECT)


def test_a_table_never_written_is_empty(tmp_path: Path) -> None:
    store = Store(tmp_path / "data")
    assert store.files("reject") == []
    assert store.transaction_version("reject", "a") is None
    assert store.rows("reject", ["log_offset"]).num_rows == 0


def test_a_table_whose_first_commit_was_killed_is_made_anew(tmp_path: Path) -> None:
    # What a kill has left in earnest: the data, and the commit under a name that is not its own yet.
    log = tmp_path / "reject" / "_delta_log"
    log.mkdir(parents=True)
    (log / "00000000000000000000.json#1").write_text("{}")
    store = Store(tmp_path)
    assert store.is_empty()
    assert store.transaction_version("reject", "a") is None
    store.append("reject", rows(1, 2), transaction=("a", 2))
    assert Store(tmp_path).rows("reject", ["log_offset"]).num_rows == 2


def test_rows_and_position_commit_together(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.append("reject", rows(1, 2), transaction=("a", 2))
    store.append("reject", rows(3), transaction=("b", 7))
    other = Store(tmp_path)
    assert (other.transaction_version("reject", "a"), other.transaction_version("reject", "b")) == (2, 7)
    assert offsets(other) == [1, 2, 3]
    files = other.files("reject")
    assert sum(pq.read_metadata(file).num_rows for file in files) == 3
    assert all(Path(file).is_absolute() and "day=2026-11-0" in file for file in files)


def test_an_open_store_sees_what_another_one_commits(tmp_path: Path) -> None:
    reader, writer = Store(tmp_path), Store(tmp_path)
    writer.append("reject", rows(1), transaction=("a", 1))
    assert reader.transaction_version("reject", "a") == 1
    writer.append("reject", rows(2), transaction=("a", 2))
    assert reader.transaction_version("reject", "a") == 2


def test_a_position_can_move_without_rows(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.append("reject", rows(), transaction=("a", 9))
    assert store.transaction_version("reject", "a") == 9


def test_compaction_keeps_rows_and_positions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_FILES_BEFORE_COMPACTION", 5)
    store = Store(tmp_path)
    for offset in range(9):
        assert store.is_scattered("reject") == (offset >= 5)
        store.append("reject", rows(offset), transaction=("a", offset))
    store.compact("reject")
    assert not store.is_scattered("reject")
    monkeypatch.setattr(store_module, "_FILES_BEFORE_COMPACTION", 1)
    assert not Store(tmp_path).is_scattered("reject"), "one file a day cannot be joined"
    after = Store(tmp_path)
    assert len(after.files("reject")) == 3
    assert offsets(after) == list(range(9))
    assert after.transaction_version("reject", "a") == 8


def joining(home: Path, first: int) -> None:
    store = Store(home)
    for number in range(first, first + _ROUNDS):
        store.append("reject", rows(number), transaction=(f"joining from {first}", number))
        store.compact("reject")


def rewriting(home: Path, first: int) -> None:
    store = Store(home)
    for number in range(first, first + _ROUNDS):
        store.append("reject", rows(number), transaction=("rewriting", number))
        store.rewrite("reject", lambda found: found)


def removing(home: Path, first: int) -> None:
    store = Store(home)
    for number in range(first, first + _ROUNDS):
        store.append("reject", rows(number), transaction=("removing", number))
        store.append("reject", old_rows(), transaction=None)
        assert store.remove_before("reject", date(2026, 11, 1)) == 1


def old_rows() -> pa.Table:
    row = {"log_offset": -1, "reason": "old", "day": date(2026, 10, 1)}
    return pa.Table.from_pylist([row], schema=REJECT)


@pytest.mark.parametrize("other", [joining, rewriting, removing])
def test_two_that_write_the_same_rows_again_double_and_lose_none(
    tmp_path: Path, other: Callable[[Path, int], None]
) -> None:
    Store(tmp_path).append("reject", rows(-3), transaction=None)
    with ThreadPoolExecutor() as threads:
        for running in [threads.submit(joining, tmp_path, 0), threads.submit(other, tmp_path, 100)]:
            running.result(timeout=300)
    found = Counter(Store(tmp_path).rows("reject", ["log_offset"])["log_offset"].to_pylist())
    assert found == Counter([-3, *range(_ROUNDS), *range(100, 100 + _ROUNDS)])


def test_two_that_move_the_same_position_do_not_both_commit(tmp_path: Path) -> None:
    one, two = Store(tmp_path), Store(tmp_path)
    one.append("reject", rows(1), transaction=("a", 1))
    assert two.transaction_version("reject", "a") == 1
    one.append("reject", rows(2), transaction=("a", 2))
    with pytest.raises(StoreError):
        two.append("reject", rows(2), transaction=("a", 2))
    assert offsets(Store(tmp_path)) == [1, 2]


def test_what_is_appended_while_rows_are_written_anew_stays(tmp_path: Path) -> None:
    store, other = Store(tmp_path), Store(tmp_path)
    store.append("reject", rows(1, 2, 3), transaction=("a", 3))

    def without_two(found: pa.Table) -> pa.Table:
        other.append("reject", rows(4), transaction=("b", 4))
        return found.filter(pc.not_equal(found["log_offset"], pa.scalar(2)))

    store.rewrite("reject", without_two)
    for reader in (store, other):
        assert offsets(reader) == [1, 3, 4]
        assert (reader.transaction_version("reject", "a"), reader.transaction_version("reject", "b")) == (
            3,
            4,
        )


def test_a_table_that_was_open_for_days_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, other = Store(tmp_path), Store(tmp_path)
    store.append("reject", rows(1), transaction=("a", 1))
    assert len(store.rows("reject", ["log_offset"])) == 1
    other.append("reject", rows(2), transaction=("b", 2))
    for commit in (tmp_path / "reject" / "_delta_log").iterdir():
        os.utime(commit, (time.time() - 3 * 86400,) * 2)
    # It cleans the log up: what the first one has open can no longer be followed from there on.
    other.compact("reject")
    monkeypatch.setattr(store_module, "monotonic", lambda: time.monotonic() + 3 * 86400)
    store.append("reject", rows(3), transaction=("a", 3))
    assert offsets(Store(tmp_path)) == [1, 2, 3]


@pytest.mark.parametrize("name", TABLES)
def test_every_table_keeps_its_columns(tmp_path: Path, name: str) -> None:
    empty = {field.name: [None] for field in TABLES[name]} | {"day": [date(2026, 11, 22)]}
    store = Store(tmp_path)
    store.append(name, pa.table(empty, schema=TABLES[name]), transaction=None)
    wanted = [field.name for field in TABLES[name]]
    assert store.rows(name, wanted).schema == TABLES[name]


def test_a_data_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        Store(tmp_path / "data").append("reject", rows(1), transaction=("a", 1))
