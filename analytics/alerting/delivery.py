"""Delivery: every committed alert reaches every address at least once, however often that has to be tried.

Where each address has come to in the table `alert` stands in `alerts/delivery.json`. It moves on only after a
message has arrived, so a crash costs one message twice, never one.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from analytics.errors import AlertStateError, NotDeliveredError
from catalog.files import write_atomically
from ingest.changes import NOTHING_YET, all_rows, has_newer, newest_version, rows_since

_TABLE = "alert"
_FIRST_PAUSE = timedelta(seconds=1)
_LONGEST_PAUSE = timedelta(minutes=5)
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Receiver(Protocol):
    """Where alerts go."""

    @property
    def label(self) -> str:
        """What it is called, without a secret."""

    @property
    def is_patient(self) -> bool:
        """Whether its messages may wait, to be put together."""

    def identity(self, salt: bytes) -> str:
        """What it is known by from one run to the next."""

    def receive(self, alerts: Sequence[Mapping[str, Any]]) -> None:
        """Take ALERT rows; raises NotDeliveredError."""


@dataclass(frozen=True)
class Progress:
    """How far a receiver has come; `reached` is the raised_at of the last alert that it got."""

    label: str
    version: int
    reached: datetime = _LONG_AGO
    sent_at: datetime = _LONG_AGO
    failing_since: datetime | None = None
    attempts: int = 0
    next_try_at: datetime = _LONG_AGO
    problem: str | None = None


@dataclass(frozen=True)
class Waiting:
    """A receiver, and how many alerts it has yet to get."""

    progress: Progress
    alerts: int


class Delivery:
    """The deliveries of one data directory; for one process and thread at a time."""

    def __init__(self, data_directory: Path, receivers: Sequence[Receiver], digest: timedelta) -> None:
        self._data_directory = data_directory
        self._path = data_directory / "alerts" / "delivery.json"
        self._digest = digest
        salt, known = _load(self._path)
        self._salt = salt or token_hex(16)
        self._receivers = {one.identity(bytes.fromhex(self._salt)): one for one in receivers}
        self._looked: set[str] = set()
        newest = newest_version(data_directory, _TABLE) if self._receivers else NOTHING_YET
        self._progress = {
            key: _goes_on(known.get(key, Progress(one.label, newest)), one.label, newest)
            for key, one in self._receivers.items()
        }
        if self._receivers and (salt is None or known.keys() != self._progress.keys()):
            # A new address gets what comes from now on, also if this process ends before anything does.
            self._save()

    def round(self, now: datetime, *, is_last: bool = False) -> bool:
        """Deliver what can be delivered now; say whether everybody has everything.

        The last round of a process waits for no further alerts to put into a message. Raises StoreError or
        AlertStateError.
        """
        done = [self._deliver(key, now, is_last=is_last) for key in self._receivers]
        return all(done)

    def _deliver(self, key: str, now: datetime, *, is_last: bool) -> bool:
        receiver, progress = self._receivers[key], self._progress[key]
        # The first look is a thorough one: the commit after the last one may be gone, and later ones not.
        if key in self._looked and not has_newer(self._data_directory, _TABLE, progress.version):
            return True
        waits = receiver.is_patient and not is_last and now < progress.sent_at + self._digest
        if waits or now < progress.next_try_at:
            return False
        rows, version = _rows_after(self._data_directory, progress)
        alerts = rows.to_pylist()
        self._looked.add(key)
        if version == progress.version:
            return True
        try:
            if alerts:
                receiver.receive(alerts)
        except NotDeliveredError as error:
            pause = min(_FIRST_PAUSE * 2 ** min(progress.attempts, 20), _LONGEST_PAUSE)
            self._progress[key] = replace(
                progress,
                failing_since=progress.failing_since or now,
                attempts=progress.attempts + 1,
                next_try_at=now + pause,
                problem=str(error),
            )
            self._save()
            return False
        reached = max((row["raised_at"] for row in alerts), default=progress.reached)
        sent_at = now if alerts else progress.sent_at
        self._progress[key] = Progress(receiver.label, version, reached, sent_at)
        self._save()
        return True

    def _save(self) -> None:
        rows = {key: _plain(progress) for key, progress in self._progress.items()}
        content = json.dumps({"salt": self._salt, "receivers": rows}, indent=1)
        try:
            write_atomically(self._path, content.encode())
        except OSError as error:
            raise _broken(self._path, error) from error


def waiting(data_directory: Path) -> list[Waiting]:
    """What each address that was ever delivered to has yet to get; raises AlertStateError or StoreError."""
    _, known = _load(data_directory / "alerts" / "delivery.json")
    return [
        Waiting(progress, len(_rows_after(data_directory, progress)[0]))
        for progress in sorted(known.values(), key=lambda one: one.label)
    ]


@dataclass(frozen=True)
class JsonLines:
    """A file that gets a line of JSON for each alert."""

    path: Path
    is_patient: bool = False

    @property
    def label(self) -> str:
        """Its place."""
        return str(self.path)

    def identity(self, salt: bytes) -> str:  # noqa: ARG002 (a place is no secret)
        """The same, too."""
        return f"file {self.path}"

    def receive(self, alerts: Sequence[Mapping[str, Any]]) -> None:
        """Append the lines, to the disk."""
        lines = "".join(json.dumps(_json(row), ensure_ascii=False) + "\n" for row in alerts)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise NotDeliveredError(f"cannot be written: {error.strerror}") from error


def _goes_on(progress: Progress, label: str, newest: int) -> Progress:
    """Progress under today's label; where the table was made anew, all that it has is new."""
    version = progress.version if progress.version <= newest else NOTHING_YET
    return replace(progress, label=label, version=version)


def _rows_after(data_directory: Path, progress: Progress) -> tuple[pa.Table, int]:
    rows, version = rows_since(data_directory, _TABLE, progress.version)
    if rows is None:
        # Nobody delivered for so long that old files were cleaned up: rather one twice than one too few.
        everything = all_rows(data_directory, _TABLE)
        rows = everything.filter(pc.field("raised_at") >= progress.reached).sort_by("raised_at")
    return rows, version


def _load(path: Path) -> tuple[str | None, dict[str, Progress]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return str(content["salt"]), {key: _parsed(row) for key, row in content["receivers"].items()}
    except FileNotFoundError:
        return None, {}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise _broken(path, error) from error


def _plain(progress: Progress) -> dict[str, Any]:
    return _json(asdict(progress))


def _parsed(row: dict[str, Any]) -> Progress:
    times = ("reached", "sent_at", "failing_since", "next_try_at")
    return Progress(**row | {name: datetime.fromisoformat(row[name]) for name in times if row[name]})


def _json(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value.isoformat() if hasattr(value, "isoformat") else value for key, value in row.items()}


def _broken(path: Path, error: Exception) -> AlertStateError:
    reason = error.strerror if isinstance(error, OSError) else "it is not what pgattic wrote"
    return AlertStateError(
        f"what was delivered cannot be read or written: {reason}",
        where=str(path),
        todo="Correct its rights, or move the file away: then only new alerts are delivered",
    )
