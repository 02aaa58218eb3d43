"""What this machine must have: a folder to write to, room in it, a clock that agrees with the server's."""

import os
import shutil
from datetime import datetime
from pathlib import Path

from analytics.health.check import Check, Facts
from analytics.sentences import duration
from catalog.terminal import size

_CLOCK_TOLERANCE_SECONDS = 5
_LITTLE_SPACE_BYTES = 1 << 30


def data_directory(directory: Path) -> Check:
    """Whether the evidence can be written."""
    place = _existing(directory)
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        todo = "Correct data.directory in pgattic.toml or the rights on it"
        return Check("data directory", False, f"{directory} cannot be written", todo)
    return Check("data directory", True, f"{directory} can be written", None)


def disk(directory: Path) -> Check:
    """Whether there is room for the evidence."""
    free = shutil.disk_usage(_existing(directory)).free
    todo = None if free >= _LITTLE_SPACE_BYTES else f"Make room: at least {size(_LITTLE_SPACE_BYTES)}"
    return Check("disk space", todo is None, f"{size(free)} free for {directory}", todo)


def clock(facts: Facts, now: datetime) -> Check:
    """Whether both clocks tell the same time."""
    off = now - datetime.fromisoformat(facts["server_now"])
    if abs(off.total_seconds()) <= _CLOCK_TOLERANCE_SECONDS:
        return Check("clock", True, "the server's clock and ours agree", None)
    todo = "Set both by NTP; times of uses are the server's, times of verdicts are ours"
    return Check("clock", False, f"our clock and the server's differ by {duration(abs(off))}", todo)


def _existing(place: Path) -> Path:
    """A folder, or the nearest one above it that is there."""
    while not place.exists() and place != place.parent:
        place = place.parent
    return place
