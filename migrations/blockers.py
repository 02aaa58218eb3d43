"""Blockers: who holds or waits for a lock, sessions and prepared transactions, as a person needs to know."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from catalog.database import Database, literal, load_sql
from catalog.errors import LockTimeoutError
from catalog.terminal import when
from ingest.grammar.normalise import normalise, unreadable

_INVISIBLE = "<insufficient privilege>"
_LONGEST_QUERY = 200
_SHOWN = 3


@dataclass(frozen=True)
class Blocker:
    """A session with a lock on a relation, `granted` or waited for; `seconds` is its transaction's age.

    `query` is its present or last statement without constants, None where it may not be seen. A prepared
    transaction has no session (`pid` is None): it holds its locks until somebody ends it by its name,
    `prepared_as`, through every restart of the server.
    """

    oid: int
    pid: int | None
    granted: bool
    application: str
    role: str
    state: str
    query_started_at: datetime | None
    query: str | None
    seconds: float
    prepared_as: str | None = None

    @property
    def ending(self) -> str:
        """The statements that end its transaction, with or without what it has done."""
        if self.pid is None:
            name = literal(self.prepared_as)
            return f"COMMIT PREPARED {name} or ROLLBACK PREPARED {name} ends it"
        return f"SELECT pg_terminate_backend({self.pid}) ends its session"

    def __str__(self) -> str:
        if self.pid is None:
            role = self.role or "unknown"
            return f"prepared transaction {literal(self.prepared_as)} (role {role}, of {self.seconds:.0f} s)"
        what = self.query or "a statement that this role may not see"
        since = f"statement since {when(self.query_started_at)}, " if self.query_started_at else ""
        return (
            f"pid {self.pid} ({self.application or 'no application name'}, role {self.role or 'unknown'},"
            f" {self.state or 'state unknown'}, {since}transaction of {self.seconds:.0f} s): {what}"
        )


def lock_holders(db: Database) -> tuple[Blocker, ...]:
    """Everybody else with a lock on a table or index of this database; oldest transaction first."""
    return tuple(_blocker(row) for row in db.fetch(load_sql("migrations", "lock_holders")))


def in_the_way(holders: Iterable[Blocker], oids: Collection[int] = ()) -> tuple[Blocker, ...]:
    """Those who hold a lock on one of the relations (on any, where none is named), each session once."""
    found: dict[tuple[int | None, str | None], Blocker] = {}
    for holder in holders:
        if holder.granted and (not oids or holder.oid in oids):
            found.setdefault((holder.pid, holder.prepared_as), holder)
    return tuple(found.values())


def describe(blockers: Collection[Blocker]) -> str:
    """The worst of them in one line."""
    if not blockers:
        return "nobody holds a lock there any more"
    shown = "; ".join(str(blocker) for blocker in list(blockers)[:_SHOWN])
    more = len(blockers) - _SHOWN
    return f"blocked by {shown}{f'; and {more} more' if more > 0 else ''}"


@contextmanager
def naming_blockers(db: Database) -> Iterator[None]:
    """Say who is in the way where even reading the catalog has to wait: its sizes want locks, too."""
    try:
        yield
    except LockTimeoutError as error:
        raise LockTimeoutError(
            f"{error.what}; {describe(in_the_way(lock_holders(db)))}",
            sqlstate=error.sqlstate,
            where=error.where,
            todo=error.todo,
        ) from error


def _blocker(row: dict[str, Any]) -> Blocker:
    return Blocker(**{**row, "query": _without_constants(row["query"])})


@lru_cache(maxsize=1_000)
def _without_constants(query: str | None) -> str | None:
    if not query or query == _INVISIBLE:
        return None
    text = normalise(query) or unreadable(query)
    return text if len(text) <= _LONGEST_QUERY else f"{text[:_LONGEST_QUERY]}…"
