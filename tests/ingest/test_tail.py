"""Log files of a folder: found, recognised after a rename, refused with a reason."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from ingest.errors import LogsUnavailableError
from ingest.tail import LogFolder
from tests.ingest.fix_ingest import NOON, record


def later(minutes: int) -> bytes:
    """A record so many minutes after noon."""
    return record("x", at=NOON + timedelta(minutes=minutes))


def test_files_come_oldest_first_whatever_their_names(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_bytes(later(0))
    (tmp_path / "a.csv").write_bytes(later(5))
    (tmp_path / "c.csv").write_bytes(later(9))
    assert [file.path.name for file in LogFolder(tmp_path, "*.csv", "n").files()] == [
        "b.csv",
        "a.csv",
        "c.csv",
    ]


def test_a_renamed_file_is_the_same_and_a_copy_is_no_other(tmp_path: Path) -> None:
    folder = LogFolder(tmp_path, "*.csv*", "n")
    path = tmp_path / "a.csv"
    path.write_bytes(later(0))
    (before,) = folder.files()
    path.rename(tmp_path / "a.csv.1")
    (tmp_path / "copy.csv").write_bytes(later(0) + later(1))
    (after,) = folder.files()
    assert after.origin == before.origin
    assert after.path.name == "copy.csv"


def test_a_file_emptied_and_written_anew_is_another(tmp_path: Path) -> None:
    folder = LogFolder(tmp_path, "*.csv", "n")
    path = tmp_path / "a.csv"
    path.write_bytes(later(0) + later(1))
    (before,) = folder.files()
    path.write_bytes(later(2) + later(3))
    os.utime(path, (1, 1))
    (after,) = folder.files()
    assert after.size == before.size
    assert after.origin != before.origin


def test_the_same_record_of_another_node_is_another_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(later(0))
    origins = {LogFolder(tmp_path, "*.csv", node).files()[0].origin for node in ("primary", "replica")}
    assert len(origins) == 2


def test_a_file_without_a_complete_record_waits(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(later(0)[:-1])
    folder = LogFolder(tmp_path, "*.csv", "n")
    assert folder.files() == []
    path.write_bytes(later(0))
    assert len(folder.files()) == 1


def test_a_first_record_of_any_length_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(record("x" * 300_000) + later(1))
    assert len(LogFolder(tmp_path, "*.csv", "n").files()) == 1


def test_a_folder_that_is_none_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    for directory, what in (
        (None, "logs.directory' is not set"),
        (tmp_path / "absent", "no such folder"),
        (tmp_path / "file", "not a folder"),
        (tmp_path / "empty", "no csvlog"),
    ):
        with pytest.raises(LogsUnavailableError, match=what) as caught:
            LogFolder(directory, "*.csv", "n").check()
        assert "log_destination = 'csvlog'" in str(caught.value)
        assert caught.value.exit_code == 2


def test_a_folder_without_the_right_to_read_is_refused(tmp_path: Path) -> None:
    # Root may read everything, so the test asks as somebody else.
    if os.geteuid() == 0 and not hasattr(os, "seteuid"):
        pytest.skip("needs seteuid")
    closed = tmp_path / "log"
    closed.mkdir()
    closed.chmod(0o000)
    for parent in tmp_path.parents:
        if not parent.stat().st_mode & 0o001 and str(parent).startswith("/tmp/pytest"):
            parent.chmod(0o755)
    tmp_path.chmod(0o755)
    was_root = os.geteuid() == 0
    try:
        if was_root:
            os.seteuid(65534)
        with pytest.raises(LogsUnavailableError, match="cannot be read: Permission denied"):
            LogFolder(closed, "*.csv", "n").check()
    finally:
        if was_root:
            os.seteuid(0)
