"""Acknowledgements: somebody knows of a use, so it alarms nobody until a given time.

They stand in one file of the data directory, `alerts/acknowledgements.json`, which is replaced as a whole.
One that was taken back stays in it, so that it is known who said what.
"""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from analytics.errors import AlertStateError
from catalog.alert_settings import Globs
from catalog.files import write_atomically

_NAME = "acknowledgements.json"
_TIMES = ("made_at", "until", "withdrawn_at")


@dataclass(frozen=True)
class Acknowledgement:
    """Who said of which uses, and until when, that they are known; patterns as in a rule."""

    elements: Globs
    roles: Globs
    applications: Globs
    clients: Globs
    because: str
    made_by: str
    made_at: datetime
    until: datetime
    withdrawn_at: datetime | None = None

    def holds(self, now: datetime) -> bool:
        """Whether it mutes anything still."""
        return self.withdrawn_at is None and now < self.until


class Acknowledgements:
    """The acknowledgements of a data directory."""

    def __init__(self, data_directory: Path) -> None:
        self._path = data_directory / "alerts" / _NAME
        self._read: tuple[object, tuple[Acknowledgement, ...]] = (None, ())

    def all(self) -> tuple[Acknowledgement, ...]:
        """All that were ever made, the oldest first; raises AlertStateError."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise self._unreadable(error) from error
        mark = (status.st_mtime_ns, status.st_ino)
        if self._read[0] != mark:
            self._read = (mark, self._load())
        return self._read[1]

    def add(self, made: Acknowledgement) -> None:
        """Keep one more."""
        with self._turn():
            self._write((*self.all(), made))

    def withdraw(self, elements: str, now: datetime) -> int:
        """Take back those that hold for exactly this element or pattern; say how many."""
        with self._turn():
            known = self.all()
            changed = tuple(
                replace(one, withdrawn_at=now) if one.holds(now) and elements in one.elements else one
                for one in known
            )
            count = sum(before is not after for before, after in zip(known, changed, strict=True))
            if count:
                self._write(changed)
        return count

    def _load(self) -> tuple[Acknowledgement, ...]:
        try:
            return tuple(_parsed(row) for row in json.loads(self._path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise self._unreadable(error) from error

    def _write(self, rows: tuple[Acknowledgement, ...]) -> None:
        text = json.dumps([_plain(row) for row in rows], indent=1, ensure_ascii=False)
        try:
            write_atomically(self._path, text.encode())
        except OSError as error:
            raise self._unreadable(error) from error

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Two who acknowledge at once do so one after the other."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = self._path.with_suffix(".lock").open("a")
        except OSError as error:
            raise self._unreadable(error) from error
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _unreadable(self, error: Exception) -> AlertStateError:
        reason = error.strerror if isinstance(error, OSError) else "it is not what pgattic wrote"
        return AlertStateError(
            f"acknowledgements cannot be read or written: {reason}",
            where=str(self._path),
            todo="Correct its rights, or move the file away and acknowledge anew",
        )


def _plain(row: Acknowledgement) -> dict[str, object]:
    fields = asdict(row)
    return fields | {name: fields[name].isoformat() for name in _TIMES if fields[name]}


def _parsed(row: dict[str, object]) -> Acknowledgement:
    times = {name: datetime.fromisoformat(str(row[name])) for name in _TIMES if row[name]}
    globs = {name: tuple(value) for name, value in row.items() if isinstance(value, list)}
    return Acknowledgement(**{**row, **globs, **times})  # type: ignore[arg-type]
