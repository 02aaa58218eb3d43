"""The errors that pgattic raises on purpose."""

from pathlib import Path

import pytest

from catalog.errors import SnapshotError, os_error_as


def test_an_error_of_the_system_becomes_one_of_ours_with_its_reason(tmp_path: Path) -> None:
    with (
        pytest.raises(SnapshotError) as caught,
        os_error_as(SnapshotError, "cannot be written", where=tmp_path, todo="Name a file"),
    ):
        tmp_path.write_text("")
    assert str(caught.value) == f"{tmp_path}: cannot be written: is a directory. Name a file"
    assert isinstance(caught.value.__cause__, IsADirectoryError)
