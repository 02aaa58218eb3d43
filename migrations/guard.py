"""The guard: watches the log after an apply, and brings back what is still used by its former name."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from catalog.database import Database
from catalog.elements import Element
from catalog.errors import (
    ConnectionFailedError,
    DatabaseError,
    LockTimeoutError,
    PgatticError,
    StatementFailedError,
)
from catalog.settings import Settings
from catalog.snapshot import read_snapshot
from migrations import audit, breaker, registry
from migrations.audit import Event
from migrations.errors import RefusedError
from migrations.guard_log import Failure, GuardedLog, history_of
from migrations.rollback import Scope, rollback

_CONNECTION_LOST = ("", "57P01", "57P02", "57P03", "08003", "08006")


class Action(StrEnum):
    """What the guard does at the first statement that fails."""

    OFF = "off"
    ALERT = "alert"
    ROLLBACK_ELEMENT = "rollback-element"
    ROLLBACK_MIGRATION = "rollback-migration"


class Outcome(StrEnum):
    """What became of an element that a statement failed on."""

    TOLD = "told"
    BROUGHT_BACK = "brought back"
    FAILED = "could not be brought back"


@dataclass
class Seen:
    """What was seen of one element: its first failing statement, and how many there were.

    `seconds` is the time from that statement, by the server's clock, to the commit that brought the element
    back; `why` says what stood in the way, or why nothing was done.
    """

    first: Failure
    failures: int = 0
    outcome: Outcome = Outcome.TOLD
    seconds: float | None = None
    why: str | None = None


@dataclass(frozen=True)
class Report:
    """What a guard saw and did; `still_in_attic` is what it left there."""

    migration_id: str
    action: Action
    began_at: datetime
    ended_at: datetime
    ended: str
    seen: tuple[Seen, ...]
    still_in_attic: tuple[Element, ...]


@dataclass
class Guard:
    """Watches one migration; `tell` is given each event in one line.

    `connect` opens a session for each rollback, so that a restarted server is no obstacle.
    """

    connect: Callable[[], Database]
    settings: Settings
    log: GuardedLog
    migration_id: str
    action: Action
    tell: Callable[[str], None] = lambda _: None
    _seen: dict[Element, Seen] = field(default_factory=dict)
    _waiting: dict[Element, Failure] = field(default_factory=dict)
    _inside: set[Element] = field(default_factory=set)

    def run(self, wait: Callable[[], bool]) -> Report:
        """Watch until `wait` (for a change of the log) returns False, or nothing is left to guard.

        Whoever ends the guard by a signal leaves things as they are then.
        """
        began_at = datetime.now(UTC)
        with self.connect() as db:
            self._inside = {item.element for item in registry.in_attic(db, migration_id=self.migration_id)}
            history = history_of(read_snapshot(db))
        if not self._inside:
            raise RefusedError(
                "nothing of it is in the attic",
                where=self.migration_id,
                todo="`pgattic status` lists the migrations and their elements",
            )
        ended = "its time was over, or it was ended"
        while True:
            for failure in self.log.failures(history):
                self._hear(failure)
            self._bring_back()
            if not self._inside:
                ended = "nothing was left to guard"
                break
            if not wait():
                break
        return Report(
            self.migration_id,
            self.action,
            began_at,
            datetime.now(UTC),
            ended,
            tuple(self._seen.values()),
            tuple(sorted(self._inside)),
        )

    def _hear(self, failure: Failure) -> None:
        element = failure.element
        if element not in self._inside:
            # Of another migration, or brought back a moment ago.
            if element in self._seen:
                self._seen[element].failures += 1
            return
        seen = self._seen.setdefault(element, Seen(failure))
        seen.failures += 1
        if not failure.is_proved or self.action is Action.ALERT:
            if seen.failures == 1:
                seen.why = None if failure.is_proved else "it can have meant something else"
                self.tell(f"failed on {failure}" + (f" ({seen.why}: nothing is done)" if seen.why else ""))
            return
        if element not in self._waiting and seen.outcome is Outcome.TOLD:
            self.tell(f"failed on {failure}")
            # The first that proves it, which may not be the first that was seen.
            seen.first = failure
            self._waiting[element] = failure

    def _bring_back(self) -> None:
        """Roll back what is waiting for it; what could not have its locks waits on."""
        for element, failure in list(self._waiting.items()):
            if element not in self._waiting:
                # A whole migration came back with another of its elements.
                continue
            is_whole = self.action is Action.ROLLBACK_MIGRATION
            scope = Scope(self.migration_id, None if is_whole else element)
            try:
                with self.connect() as db, audit.sealing(db, self.settings):
                    done = self._rolled_back(db, scope, failure)
            except PgatticError as error:
                self._failed(scope, failure, error)
                continue
            self._came_back(done)

    def _failed(self, scope: Scope, failure: Failure, error: PgatticError) -> None:
        """Say what stood in the way; what passes by itself is tried again at the next look."""
        seen, said = self._seen[failure.element], str(error)
        if seen.why != said:
            self.tell(f"could not bring back {scope}: {said}")
        seen.outcome, seen.why = Outcome.FAILED, said
        if _passes(error):
            return
        del self._waiting[failure.element]
        try:
            with self.connect() as db, db.transaction():
                self._record(db, scope, failure, outcome="failed", error=said)
                breaker.trip(db, f"the guard could not bring back {scope}: {said}")
        except DatabaseError as second:
            self.tell(f"nor could that be recorded: {second}")

    def _rolled_back(self, db: Database, scope: Scope, failure: Failure) -> set[Element]:
        done = rollback(db, scope, despite_breaker=True, policy=self.settings.policy)
        back = {one.item.element for one in done.restored}
        reason = f"the guard brought back {scope}: a statement of {failure.application or 'somebody'} failed"
        with db.transaction():
            self._record(db, scope, failure, outcome="rolled back", elements=sorted(map(str, back)))
            breaker.trip(db, reason)
        return back

    def _came_back(self, elements: set[Element]) -> None:
        now = datetime.now(UTC)
        for element in sorted(elements):
            self._inside.discard(element)
            failure = self._waiting.pop(element, None)
            if failure is None:
                self.tell(f"{element} has its name back, with the whole migration")
                continue
            seen = self._seen[element]
            seen.outcome, seen.why = Outcome.BROUGHT_BACK, None
            seen.seconds = (now - failure.occurred_at).total_seconds()
            self.tell(f"{element} has its name back, {seen.seconds:.2f} s after the statement")

    def _record(self, db: Database, scope: Scope, failure: Failure, **more: object) -> None:
        audit.record(
            db,
            Event.GUARD,
            str(scope),
            {
                "action": self.action.value,
                "element": str(failure.element),
                "failed_at": failure.occurred_at.isoformat(),
                "sqlstate": failure.sqlstate,
                "role": failure.role,
                "application": failure.application,
                "client": failure.client,
                "statement": failure.statement,
                **more,
            },
        )


def _passes(error: PgatticError) -> bool:
    """Whether to try again: somebody holds a lock, or the server is being restarted."""
    if isinstance(error, LockTimeoutError | ConnectionFailedError):
        return True
    return isinstance(error, StatementFailedError) and error.sqlstate in _CONNECTION_LOST


def newest_migration(db: Database) -> str:
    """The migration that was applied last and still has something in the attic; raises RefusedError."""
    found = (row.id for row in registry.migrations_of(db) if row.in_attic)
    newest = next(found, None)
    if newest is None:
        raise RefusedError("nothing is in the attic, so there is nothing to guard", where=db.where)
    return newest
