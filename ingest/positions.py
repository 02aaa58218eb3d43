"""Up to which byte of which log file all evidence tables have come, and which files need no look any more."""

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from catalog.files import write_atomically
from ingest.logs.tail import LogFile
from ingest.node_files import node_file
from ingest.store import Store

_FINISHED_NAME = "ingest.finished"


@dataclass
class Position:
    """Up to which byte a file is read, and to when it is covered."""

    offset: int
    covered_to: datetime | None


def read_positions(store: Store) -> dict[str, Position]:
    """The positions as committed, by origin."""
    rows = store.rows("coverage", ["origin", "end_offset", "covered_to"])
    newest = pa.TableGroupBy(rows, "origin").aggregate([("end_offset", "max"), ("covered_to", "max")])
    return {
        row["origin"]: Position(row["end_offset_max"] or 0, row["covered_to_max"])
        for row in newest.to_pylist()
    }


class FinishedFiles:
    """Compressed files that were read to their end: nobody knows their size without reading them again.

    A file that has changed since, or of which nothing is known, is read again up to its position; that costs
    time and nothing else.
    """

    def __init__(self, data_directory: Path, node: str) -> None:
        self._path = node_file(data_directory, _FINISHED_NAME, node)
        self._stamps: dict[str, list[int]] = {}
        with suppress(OSError, ValueError):
            self._stamps = json.loads(self._path.read_bytes())

    def has(self, file: LogFile) -> bool:
        """Whether the file is as it was when it had been read."""
        return file.is_compressed and self._stamps.get(file.origin, []) == _stamp(file)

    def save(self, files: Iterable[LogFile], positions: dict[str, Position]) -> None:
        """Keep which of the files are read; those that are gone are forgotten."""
        stamps = {
            file.origin: _stamp(file)
            for file in files
            if self.has(file)
            or (file.is_compressed and file.size is not None and positions[file.origin].offset >= file.size)
        }
        if stamps != self._stamps:
            self._stamps = stamps
            with suppress(OSError):
                write_atomically(self._path, json.dumps(stamps).encode())


def _stamp(file: LogFile) -> list[int]:
    with suppress(OSError):
        status = file.path.stat()
        return [status.st_size, status.st_mtime_ns]
    return []


def inherit(
    positions: dict[str, Position], file: LogFile, before: LogFile | None, finished: FinishedFiles
) -> None:
    """A file goes on covering where the one before it ended, if that was read whole and is still there.

    The oldest files are removed first, so no other file was between the two.
    """
    if file.origin in positions:
        return
    previous = positions.get(before.origin) if before else None
    is_whole = (
        before is not None
        and previous is not None
        and (finished.has(before) or previous.offset == before.size)
    )
    positions[file.origin] = Position(0, previous.covered_to if previous and is_whole else None)
