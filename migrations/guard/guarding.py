"""Watches one migration through the ears, and brings back what is still used by its former name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from time import monotonic, sleep
from typing import Any

from analytics.sentences import count
from catalog.alert_settings import Severity
from catalog.database import Database
from catalog.elements import Element
from catalog.errors import (
    ConnectionFailedError,
    DatabaseError,
    LockTimeoutError,
    PgatticError,
    StatementFailedError,
)
from catalog.reading import read_snapshot
from catalog.settings import Settings
from migrations import audit, breaker, registry
from migrations.audit import Event
from migrations.errors import NothingInAtticError
from migrations.guard.ears import Ears
from migrations.guard.failures import Failure, FormerNames
from migrations.guard.servers import Blind
from migrations.restoring import Restoration
from migrations.rollback import Scope, rollback

_RULE = "guard"
_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 5.0
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
    """What a guard saw and did.

    `still_in_attic` is what it left there, `blind` whose logs it did not hear.
    """

    migration_id: str
    action: Action
    began_at: datetime
    ended_at: datetime
    ended: str
    seen: tuple[Seen, ...]
    still_in_attic: tuple[Element, ...]
    blind: tuple[Blind, ...] = ()


@dataclass
class _Waiting:
    """An element that is to come back, and when (by the monotonic clock) that is tried next."""

    failure: Failure
    tries: int = 0
    next_at: float = 0.0

    def put_off(self) -> None:
        """Try again later, and each time a while later."""
        self.next_at = monotonic() + min(_FIRST_PAUSE_SECONDS * 2**self.tries, _LONGEST_PAUSE_SECONDS)
        self.tries += 1


@dataclass
class Guard:
    """Watches one migration; `tell` is given each event in one line, `alert` a row of ALERT for what a person
    must know. Neither may wait for anything. `ears` have been told from when on to hear.

    `connect` opens a session for each rollback, so that a restarted server is no obstacle.
    """

    connect: Callable[[], Database]
    settings: Settings
    ears: Ears
    migration_id: str
    action: Action
    tell: Callable[[str], None] = lambda _: None
    alert: Callable[[Mapping[str, Any]], None] = lambda _: None
    _seen: dict[Element, Seen] = field(default_factory=dict)
    _waiting: dict[Element, _Waiting] = field(default_factory=dict)
    _inside: set[Element] = field(default_factory=set)

    def run(self, wait: Callable[[], bool]) -> Report:
        """Watch until `wait` (for a change of the logs) returns False, or nothing is left to guard.

        Whoever ends the guard by a signal leaves things as they are then.
        """
        began_at = datetime.now(UTC)
        names = self._begun(wait)
        ended = "its time was over, or it was ended"
        while True:
            self._listen(names)
            self._bring_back()
            if not self._inside:
                ended = "nothing was left to guard"
                break
            if not wait():
                self._give_up()
                break
        return Report(
            self.migration_id,
            self.action,
            began_at,
            datetime.now(UTC),
            ended,
            tuple(self._seen.values()),
            tuple(sorted(self._inside)),
            self.ears.blind,
        )

    def _begun(self, wait: Callable[[], bool]) -> FormerNames:
        """Read what is guarded; the rename is done, so that a server that is away just now is waited for."""
        while True:
            try:
                with self.connect() as db:
                    inside = registry.in_attic(db, migration_id=self.migration_id)
                    names = FormerNames(read_snapshot(db))
                break
            except DatabaseError as error:
                if not _passes(error) or not wait():
                    raise
                self.tell(f"cannot begin: {error}; trying again")
                sleep(_FIRST_PAUSE_SECONDS)
        self._inside = {item.element for item in inside}
        if not self._inside:
            raise NothingInAtticError(where=self.migration_id)
        return names

    def _listen(self, names: FormerNames) -> None:
        """Hear what is new, and act on it before more of it is understood."""
        for heard in self.ears.hear():
            if isinstance(heard, Blind):
                self._tell_of_blindness(heard)
                continue
            for failure in names.failures(heard):
                self._hear(failure)
            self._bring_back()

    def _tell_of_blindness(self, blind: Blind) -> None:
        if blind.until is not None:
            self.tell(f"node {blind.node} is heard again, from where its log was left")
            return
        self.tell(f"blind: {blind}; trying again")
        self.alert(
            {
                "occurred_at": blind.since,
                "raised_at": datetime.now(UTC),
                "rule": _RULE,
                "severity": Severity.WARNING.value,
                "message": f"the guard of {self.migration_id} is blind: {blind}; it goes on trying",
                "node": blind.node,
            }
        )

    def _hear(self, failure: Failure) -> None:
        element = failure.element
        if failure.migration_id != self.migration_id:
            # From an earlier time in the attic: a copy of a log came late.
            return
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
                because = seen.why or f"the guard only tells (its action is {self.action.value})"
                severity = Severity.CRITICAL if failure.is_proved else Severity.WARNING
                self._alert(severity, failure, f"{_used(failure)}; nothing is done: {because}")
            return
        if element not in self._waiting and seen.outcome is Outcome.TOLD:
            self.tell(f"failed on {failure}")
            scope = self._scope(element)
            self._alert(Severity.CRITICAL, failure, f"{_used(failure)}; the guard brings back {scope}")
            # The first that proves it, which may not be the first that was seen.
            seen.first = failure
            self._waiting[element] = _Waiting(failure)

    def _bring_back(self) -> None:
        """Roll back what waits for it; what could not have its locks waits on, and keeps no other back."""
        for element, waiting in list(self._waiting.items()):
            if element not in self._waiting or monotonic() < waiting.next_at:
                # A whole migration came back with another of its elements, or it was tried a moment ago.
                continue
            scope, back = self._scope(element), None
            try:
                with self.connect() as db, audit.sealing(db, self.settings):
                    back = self._rolled_back(db, scope, waiting.failure)
            except PgatticError as error:
                if back is None:
                    if not (isinstance(error, NothingInAtticError) and self._is_back(element)):
                        waiting.put_off()
                        self._failed(scope, waiting.failure, error)
                    continue
                # What is committed is done; the next seal covers it.
                self.tell(f"{scope} is back, and the audit trail is not sealed: {error}")
            self._came_back(back)

    def _is_back(self, element: Element) -> bool:
        """Whether it has its name back already, and what else has.

        Somebody else was faster (a replica may hear of that after the statement failed there), or the server
        did what it was asked before, and its answer was lost.
        """
        try:
            with self.connect() as db:
                items = registry.in_attic(db, migration_id=self.migration_id)
        except DatabaseError:
            return False
        inside = {item.element for item in items}
        if element in inside:
            return False
        for gone in sorted(self._inside - inside):
            waiting = self._waiting.pop(gone, None)
            if waiting is None:
                continue
            by = f"{'by a try whose answer was lost, or ' * bool(waiting.tries)}by somebody else"
            said = f"{gone} has its name back already, {by}"
            self.tell(said)
            self._alert(Severity.WARNING, waiting.failure, said)
            seen = self._seen[gone]
            seen.outcome, seen.why = Outcome.BROUGHT_BACK, by
        self._inside &= inside
        return True

    def _scope(self, element: Element) -> Scope:
        is_whole = self.action is Action.ROLLBACK_MIGRATION
        return Scope(self.migration_id, None if is_whole else element)

    def _failed(self, scope: Scope, failure: Failure, error: PgatticError) -> None:
        """Say what stood in the way; what passes by itself is tried again at the next look."""
        seen, said = self._seen[failure.element], str(error)
        passes, told = _passes(error), f"could not bring back {scope}: {said}"
        if seen.why != said:
            self.tell(told)
        if seen.outcome is not Outcome.FAILED or not passes:
            goes_on = "it is tried again" if passes else "it is not tried again; the breaker is open"
            self._alert(Severity.CRITICAL, failure, f"the guard {told}; {goes_on}")
        seen.outcome, seen.why = Outcome.FAILED, said
        if not passes:
            del self._waiting[failure.element]
            self._record_failure(scope, failure, said)

    def _give_up(self) -> None:
        """Say what is still in use and not back, now that nobody tries any more."""
        for element, waiting in self._waiting.items():
            scope, why = self._scope(element), self._seen[element].why or "it was not tried yet"
            said = f"the guard ended and {scope} is not back: {why}"
            self.tell(said)
            self._alert(Severity.CRITICAL, waiting.failure, f"{said}; `pgattic rollback` brings it back")
            self._record_failure(scope, waiting.failure, why)

    def _record_failure(self, scope: Scope, failure: Failure, why: str) -> None:
        try:
            with self.connect() as db, db.transaction():
                self._record(db, scope, failure, outcome="failed", error=why)
                breaker.trip(db, f"the guard could not bring back {scope}: {why}")
        except DatabaseError as error:
            self.tell(f"nor could that be recorded: {error}")

    def _rolled_back(self, db: Database, scope: Scope, failure: Failure) -> set[Element]:
        def note(done: Sequence[Restoration]) -> None:
            elements = sorted(str(one.item.element) for one in done)
            self._record(db, scope, failure, outcome="rolled back", elements=elements)
            somebody = failure.application or "somebody"
            breaker.trip(db, f"the guard brought back {scope}: a statement of {somebody} failed")

        # Once, as another element may be waiting for its turn; the next look tries again.
        done = rollback(db, scope, despite_breaker=True, policy=self.settings.policy, attempts=1, note=note)
        return {one.item.element for one in done.restored}

    def _came_back(self, elements: set[Element]) -> None:
        now = datetime.now(UTC)
        for element in sorted(elements):
            self._inside.discard(element)
            waiting = self._waiting.pop(element, None)
            if waiting is None:
                self.tell(f"{element} has its name back, with the whole migration")
                continue
            seen = self._seen[element]
            seen.outcome, seen.why = Outcome.BROUGHT_BACK, None
            seen.seconds = (now - waiting.failure.occurred_at).total_seconds()
            told = f"{element} has its name back, {seen.seconds:.2f} s after the statement"
            self.tell(told)
            # One message, also where a thousand others came along.
            others = len(elements) - 1
            along = f", and with it {count(others, 'other element')}" if others else ""
            opened = "the circuit breaker is open until somebody says why it may go on (`pgattic breaker`)"
            self._alert(Severity.CRITICAL, waiting.failure, f"{told}{along}; {opened}", at=now)

    def _alert(self, severity: Severity, failure: Failure, said: str, at: datetime | None = None) -> None:
        self.alert(
            {
                "occurred_at": at or failure.occurred_at,
                "raised_at": datetime.now(UTC),
                "rule": _RULE,
                "severity": severity.value,
                "element": str(failure.element),
                "message": said,
                "role": failure.role or None,
                "application": failure.application or None,
                "client": failure.client or None,
                "node": failure.node,
            }
        )

    def _record(self, db: Database, scope: Scope, failure: Failure, **more: object) -> None:
        audit.record(
            db,
            Event.GUARD,
            str(scope),
            {
                "action": self.action.value,
                "element": str(failure.element),
                "node": failure.node,
                "failed_at": failure.occurred_at.isoformat(),
                "sqlstate": failure.sqlstate,
                "role": failure.role,
                "application": failure.application,
                "client": failure.client,
                "statement": failure.statement,
                **more,
            },
        )


def _used(failure: Failure) -> str:
    """Who failed on what, without the statement: that goes to no chat."""
    whence = ", ".join(part for part in (failure.application, failure.client) if part)
    who = f"{failure.role or 'somebody'}" + (f" ({whence})" if whence else "")
    return f"{failure.element} is in use: {who} failed on {failure.node} with {failure.sqlstate}"


def _passes(error: PgatticError) -> bool:
    """Whether to try again: somebody holds a lock, or the server is being restarted."""
    if isinstance(error, LockTimeoutError | ConnectionFailedError):
        return True
    return isinstance(error, StatementFailedError) and error.sqlstate in _CONNECTION_LOST


def migration_to_guard(db: Database, named: str | None) -> str:
    """The migration that is named, or that was applied last and still has something in the attic.

    Raises NothingInAtticError where there is nothing to guard.
    """
    inside = [row.id for row in registry.migrations_of(db) if row.in_attic]
    if not inside:
        raise NothingInAtticError("nothing is in the attic, so there is nothing to guard", where=db.where)
    if named is None:
        return inside[0]
    if named not in inside:
        raise NothingInAtticError(where=named)
    return named
