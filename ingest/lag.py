"""How far ingest has come: what is behind, when it last looked, and whether anybody is at work."""

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from catalog.files import write_atomically
from ingest.lock import working_process
from ingest.logs.tail import Logs
from ingest.node_files import node_file
from ingest.positions import Position, read_positions
from ingest.store import Store

HEARTBEAT_NAME = "ingest.heartbeat"


@dataclass(frozen=True)
class Lag:
    """How far the ingest of a node is behind its logs.

    `behind_bytes` counts what plain files hold beyond their positions; `unread_files` those that were never
    begun. `lag_seconds` is 0 where nothing is behind, else the time since the last record that was read, and
    None where none ever was.
    """

    node: str
    covered_to: datetime | None
    looked_at: datetime | None
    behind_bytes: int
    unread_files: int
    lag_seconds: float | None
    process: int | None


def measure(logs: Logs, store: Store, node: str, now: datetime) -> Lag:
    """Compare the logs with the positions; raises LogsUnavailableError and StoreError."""
    positions = read_positions(store)
    files = logs.files()
    behind = sum(max(0, (file.size or 0) - _position(positions, file.origin).offset) for file in files)
    unread = sum(file.origin not in positions for file in files)
    moments = [positions[file.origin].covered_to for file in files if file.origin in positions]
    covered_to = max(filter(None, moments), default=None)
    seconds: float | None = 0.0
    if behind or unread:
        seconds = max(0.0, (now - covered_to).total_seconds()) if covered_to else None
    return Lag(
        node, covered_to, _last_look(store.data_directory, node), behind, unread, seconds,
        working_process(store.data_directory),
    )  # fmt: skip


def _position(positions: dict[str, Position], origin: str) -> Position:
    return positions.get(origin, Position(0, None))


def beat(data_directory: Path, node: str, now: datetime) -> None:
    """Say that the logs of a server were looked at now."""
    content = {"process": os.getpid(), "looked_at": now.isoformat()}
    # Where it cannot be written, what is there gets old, and that is what it is for.
    with suppress(OSError):
        write_atomically(node_file(data_directory, HEARTBEAT_NAME, node), json.dumps(content).encode())


def _last_look(data_directory: Path, node: str) -> datetime | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        content = json.loads(node_file(data_directory, HEARTBEAT_NAME, node).read_bytes())
        return datetime.fromisoformat(content["looked_at"])
    return None
