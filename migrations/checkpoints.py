"""Checkpoints: named moments in the registry's history that a rollback can go back to.

A checkpoint takes its number in the same queue as applies and rollbacks do, so whatever committed after it
has a greater number, however many sessions were at work.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches

from catalog.database import Database, load_sql
from catalog.errors import StatementFailedError
from migrations import audit, registry
from migrations.durations import duration_of
from migrations.errors import CheckpointError
from migrations.retry import retrying

# Neither like an element nor like a time.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,62}")
_UNIQUE_VIOLATION = "23505"


@dataclass(frozen=True)
class Checkpoint:
    """A named moment; `in_attic_since` counts the elements that a rollback to it would bring back."""

    name: str
    note: str | None
    created_at: datetime
    created_by: str
    moment: int
    in_attic_since: int


def create(
    db: Database, name: str, note: str | None = None, on_retry: Callable[[str], None] = lambda _: None
) -> Checkpoint:
    """Name this moment; raise CheckpointError where the name is taken or cannot be one."""
    if not _NAME.fullmatch(name):
        raise CheckpointError(
            f"{name!r} is no name for a checkpoint",
            todo="Use letters, digits, dots, dashes and underscores, first a letter: before-release-7",
        )
    registry.require(db)
    try:
        for attempt in retrying(on_retry):
            with attempt, db.transaction():
                registry.take_turn(db)
                db.execute("INSERT INTO pgattic.checkpoint (name, note) VALUES (%s, %s)", [name, note])
                audit.record(db, audit.Event.CHECKPOINT, name, {"note": note})
    except StatementFailedError as error:
        if error.sqlstate == _UNIQUE_VIOLATION:
            raise CheckpointError(
                "there is a checkpoint of that name already", where=name, todo="Use another name"
            ) from error
        raise
    return find(db, name)


def all(db: Database) -> list[Checkpoint]:  # noqa: A001 (reads as checkpoints.all)
    """Every checkpoint, newest first; raises RegistryError where there is no registry."""
    registry.require(db)
    return [Checkpoint(**row) for row in db.fetch(load_sql("migrations", "checkpoints"))]


def find(db: Database, name: str) -> Checkpoint:
    """The checkpoint of that name; raise CheckpointError that says which ones there are."""
    known = {checkpoint.name: checkpoint for checkpoint in all(db)}
    if name not in known:
        similar = get_close_matches(name, known, n=1)
        hint = f"Did you mean {similar[0]}?" if similar else "`pgattic checkpoint list` shows them all"
        raise CheckpointError("no such checkpoint", where=name, todo=hint)
    return known[name]


def parse_time(text: str, now: datetime) -> datetime:
    """Read a moment in the past: ISO 8601 with its zone, or how long ago (`2h`, `1d12h`, `90m`).

    Raises CheckpointError for anything else, a time without a zone and one that is still to come.
    """
    try:
        ago = duration_of(text)
        if ago is not None:
            return now - ago
    except OverflowError:
        raise CheckpointError("is longer ago than time is counted", where=text) from None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise CheckpointError(
            "is no time", where=repr(text), todo="Write 2026-11-23T14:30+01:00, or how long ago: 2h, 1d12h"
        ) from None
    if moment.tzinfo is None:
        raise CheckpointError(
            "has no time zone",
            where=repr(text),
            todo=f"Write {text.strip()}Z for UTC, or {text.strip()}+01:00",
        )
    if moment > now:
        raise CheckpointError(
            "lies in the future", where=repr(text), todo=f"The server's clock says {now:%Y-%m-%d %H:%M:%S%z}"
        )
    return moment
