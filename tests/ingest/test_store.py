"""Evidence tables: rows and their position commit together."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest import store as store_module
from ingest.errors import StoreError
from ingest.schemas import REJECT, TABLES
from ingest.store import Store


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
    assert sorted(other.rows("reject", ["log_offset"])["log_offset"].to_pylist()) == [1, 2, 3]
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
    assert sorted(after.rows("reject", ["log_offset"])["log_offset"].to_pylist()) == list(range(9))
    assert after.transaction_version("reject", "a") == 8


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
