"""The log files of a folder: which is which after a rename, and their bytes from a position on.

A file is known by its first record, not by its name: rotation may rename it, `copytruncate` may empty it. The
size is the truth; whoever noticed that a file changed only gave a hint.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ingest.csvlog import first_record
from ingest.errors import LogsUnavailableError

_FIRST_READ_BYTES = 64 * 1024
_ADVICE = (
    "Set logs.directory to the server's log folder; if there is no csvlog yet, run "
    "ALTER SYSTEM SET log_destination = 'csvlog' and SELECT pg_reload_conf() "
    "(logging_collector = on needs a restart)"
)


@dataclass(frozen=True, slots=True)
class LogFile:
    """One log file; `origin` stays the same through renames, `began` sorts files by their first record."""

    path: Path
    origin: str
    began: str
    size: int
    modified_at: float


@dataclass(frozen=True, slots=True)
class _Identity:
    """What a file's first record says, and the size and time of the file when it was looked at."""

    record_length: int
    origin: str
    began: str
    state: tuple[int, float]


class LogFolder:
    """The csvlog files of one server node."""

    def __init__(self, directory: Path | None, pattern: str, node: str) -> None:
        if directory is None:
            raise LogsUnavailableError(
                "key 'logs.directory' is not set", where="the configuration", todo=_ADVICE
            )
        self.directory = directory
        self._pattern = pattern
        self._node = node
        self._identities: dict[tuple[int, int], _Identity] = {}

    def check(self) -> None:
        """Raise LogsUnavailableError where there is nothing to read and there never will be."""
        if not self._paths():
            raise LogsUnavailableError(
                f"no csvlog ({self._pattern}) in it", where=str(self.directory), todo=_ADVICE
            )

    def files(self) -> list[LogFile]:
        """The files with a complete record, oldest first; of several with the same content the longest."""
        found: dict[str, LogFile] = {}
        for path in self._paths():
            file = self._identified(path)
            if file and (file.origin not in found or file.size > found[file.origin].size):
                found[file.origin] = file
        return sorted(found.values(), key=lambda file: (file.began, str(file.path)))

    def _paths(self) -> list[Path]:
        directory = self.directory
        if not directory.exists():
            raise LogsUnavailableError("no such folder", where=str(directory), todo=_ADVICE)
        if not directory.is_dir():
            raise LogsUnavailableError("a file, not a folder", where=str(directory), todo=_ADVICE)
        try:
            # glob() would take a folder without read permission for an empty one.
            with os.scandir(directory) as entries:
                any(True for _ in entries)
            return [path for path in directory.glob(self._pattern) if path.is_file()]
        except OSError as error:
            raise _unreadable(directory, error) from error

    def _identified(self, path: Path) -> LogFile | None:
        try:
            status = path.stat()
            key = status.st_dev, status.st_ino
            known = self._identities.get(key)
            if known is None or known.state != _state(status):
                known = _identify(path, known, self._node)
                if known is None:
                    return None
                self._identities[key] = known
        except FileNotFoundError:
            # Removed between the listing and now.
            return None
        except OSError as error:
            raise _unreadable(path, error) from error
        return LogFile(path, known.origin, known.began, *known.state)


def read_bytes(file: LogFile, start: int, length: int) -> bytes:
    """Up to `length` bytes of a file from a position; raises LogsUnavailableError."""
    try:
        with file.path.open("rb") as opened:
            opened.seek(start)
            return opened.read(length)
    except OSError as error:
        raise _unreadable(file.path, error) from error


def _identify(path: Path, known: _Identity | None, node: str) -> _Identity | None:
    """Read the first record again: a file that was emptied and written anew is another one."""
    with path.open("rb") as file:
        state = _state(os.fstat(file.fileno()))
        record = file.read(known.record_length) if known else b""
        if known is None or _origin(node, record) != known.origin:
            whole = _first_record_of(file.read, record)
            if whole is None:
                return None
            record = whole
    return _Identity(len(record), _origin(node, record), record[:23].decode(errors="replace"), state)


def _first_record_of(read: Callable[[int], bytes], beginning: bytes) -> bytes | None:
    buffer = beginning
    wanted = _FIRST_READ_BYTES
    while True:
        more = read(wanted)
        buffer += more
        record = first_record(buffer)
        if record or not more:
            return record
        wanted = len(buffer)


def _origin(node: str, record: bytes) -> str:
    return hashlib.sha256(node.encode() + b"\0" + record).hexdigest()[:32]


def _state(status: os.stat_result) -> tuple[int, float]:
    return status.st_size, status.st_mtime


def _unreadable(path: Path, error: OSError) -> LogsUnavailableError:
    return LogsUnavailableError(
        f"cannot be read: {error.strerror}",
        where=str(path),
        todo="Give the user that runs pgattic the right to read it (log_file_mode = 0640 and the group do)",
    )
