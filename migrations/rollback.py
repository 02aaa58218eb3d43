"""Rollback: give elements back their former names, in one transaction with the registry.

Elements are found by OID, so it does not matter whether their table was renamed in the meantime.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from catalog.database import Database
from catalog.elements import Element
from catalog.errors import DatabaseError, LockTimeoutError, StatementFailedError
from catalog.settings import PolicySettings
from migrations import audit, breaker, checkpoints, integrity, registry, sensors
from migrations.audit import Event
from migrations.errors import NothingInAtticError, RollbackError
from migrations.present import found_again, read_present
from migrations.registry import DeprecatedElement
from migrations.restoring import Restoration, restorations, statements_of
from migrations.retry import retrying
from migrations.steps import Place

# duplicate table, column, object (type, constraint)
_NAME_TAKEN = frozenset({"42P07", "42701", "42710"})
_REFUSALS = (RollbackError, NothingInAtticError)


@dataclass(frozen=True)
class Scope:
    """What to bring back: a migration, an element (of it), or everything since a checkpoint or time."""

    migration_id: str | None = None
    element: Element | None = None
    checkpoint: str | None = None
    since: datetime | None = None

    def __str__(self) -> str:
        if self.checkpoint:
            return f"checkpoint {self.checkpoint}"
        if self.since:
            return f"since {self.since.isoformat()}"
        return " ".join(str(part) for part in (self.migration_id, self.element) if part)

    @property
    def empty(self) -> str:
        """What is said where there is nothing of it to bring back."""
        if self.checkpoint or self.since:
            return "nothing that was renamed since then is in the attic"
        return "it is not in the attic" if self.element else "nothing of it is in the attic"


@dataclass(frozen=True)
class RolledBack:
    """What a rollback did; `locked_seconds` is the time from its first rename to the end of its commit."""

    restored: tuple[Restoration, ...]
    locked_seconds: float


def waiting(db: Database, scope: Scope, *, lock: bool = False) -> list[DeprecatedElement]:
    """What a rollback would bring back, last rename first; raises NothingInAtticError, RollbackError."""
    after = checkpoints.find(db, scope.checkpoint).moment if scope.checkpoint else None
    items = registry.in_attic(
        db,
        migration_id=scope.migration_id,
        element=scope.element,
        after=after,
        since=scope.since,
        lock=lock,
    )
    if not items and scope.element:
        items = _called_now(db, scope)
    if not items:
        raise NothingInAtticError(scope.empty, where=str(scope))
    if scope.element and len(items) > 1:
        raise RollbackError(
            f"{len(items)} elements in the attic had that name",
            where=str(scope.element),
            todo="Say which migration: "
            + " or ".join(f"{item.migration_id} (now {item.deprecated_name})" for item in items),
        )
    return items


def preview(db: Database, scope: Scope) -> list[Restoration]:
    """What a rollback would do now, with its exact SQL; changes nothing and locks nothing.

    Raises RollbackError where it would refuse, NothingInAtticError where there is nothing to bring back.
    """
    registry.require(db)
    with db.transaction():
        db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        items = found_again(db, waiting(db, scope))
        return restorations(items, read_present(db, items), _staying(db, items))


def rollback(
    db: Database,
    scope: Scope | None = None,
    *,
    migration_id: str | None = None,
    element: Element | None = None,
    despite_breaker: bool = False,
    policy: PolicySettings | None = None,
    on_retry: Callable[[str], None] = lambda _: None,
    attempts: int | None = None,
    note: Callable[[Sequence[Restoration]], None] = lambda _: None,
) -> RolledBack:
    """Bring back what a scope says (or one migration, or one element), all or nothing; return what was done.

    Raises NothingInAtticError, RollbackError that names everything in the way, BreakerOpenError unless
    `despite_breaker`, IntegrityError where more than names changed. After any of them everything is as it
    was. `policy` says how many times locks may not be had before the breaker opens, `attempts` how often they
    are tried for here; `note` writes more of it into the registry, in the same transaction and before a table
    is locked.
    """
    scope = scope or Scope(migration_id=migration_id, element=element)
    registry.require(db)
    if not despite_breaker:
        breaker.require_closed(db)
    intended = preview(db, scope)
    audit.record(
        db,
        Event.ROLLBACK_INTENT,
        str(scope),
        {
            "elements": [str(one.item.element) for one in intended],
            "sql": statements_of(intended),
            "despite_breaker": despite_breaker,
        },
    )
    try:
        oids = {one.item.object_oid for one in intended}
        for attempt in retrying(on_retry, db=db, oids=oids, attempts=attempts):
            with attempt:
                done = _roll_back(db, scope, note)
    except BaseException as error:
        # On a connection that is gone nothing can be written: there the intent stays without an outcome.
        with suppress(DatabaseError):
            _record_failure(db, scope, intended, error, policy or PolicySettings())
        raise
    return done


def _roll_back(db: Database, scope: Scope, note: Callable[[Sequence[Restoration]], None]) -> RolledBack:
    with db.transaction():
        registry.take_turn(db)
        audit.reserve(db)
        items = found_again(db, waiting(db, scope, lock=True))
        present = read_present(db, items)
        done = restorations(items, present, _staying(db, items))
        # All of the registry first: locks on the user's tables are held for one round trip and the commit.
        registry.record_restored(db, items)
        armed = [sensor for one in done for sensor in one.sensors]
        sensors.record_removed(db, armed)
        breaker.forget_lock_failures(db)
        audit.record(
            db,
            Event.ROLLBACK_OUTCOME,
            str(scope),
            {
                "outcome": "rolled back",
                "elements": [str(one.item.element) for one in done],
                "notes": {str(one.item.element): list(one.notes) for one in done if one.notes},
            },
        )
        note(done)
        started = time.perf_counter()
        _run(db, done)
        integrity.require_same(items, [now.observation for now in present], integrity.observe(db, items))
    return RolledBack(tuple(done), time.perf_counter() - started)


def _staying(db: Database, items: Sequence[DeprecatedElement]) -> list[DeprecatedElement]:
    """Elements that stay in the attic, where any that comes back has a shim to share with them."""
    if not any(item.shim_oid for item in items):
        return []
    back = {(item.migration_id, item.position) for item in items}
    return [item for item in registry.in_attic(db) if (item.migration_id, item.position) not in back]


def _run(db: Database, done: Sequence[Restoration]) -> None:
    statements = statements_of(done)
    if not statements:
        return
    try:
        # One message for all: locks are held for one round trip, however many elements there are.
        db.execute(";\n".join(statements))
    except StatementFailedError as error:
        if error.sqlstate in _NAME_TAKEN:
            raise RollbackError(
                f"a former name is taken again ({error.what}); nothing was changed",
                where=", ".join(sorted({str(one.item.element) for one in done})[:3]),
                todo="Find out who made the new one (a migration tool?), move it aside and try again",
            ) from error
        raise


def _record_failure(
    db: Database,
    scope: Scope,
    intended: Sequence[Restoration],
    error: BaseException,
    policy: PolicySettings,
) -> None:
    """Say in the audit trail why; what is more than a refusal or a lock not to be had opens the breaker."""
    if not isinstance(error, Exception) and _are_back(db, intended):
        # Interrupted after the server had committed: it is done, and the audit trail says so.
        return
    said = str(error) or f"interrupted ({type(error).__name__})"
    is_refusal = isinstance(error, _REFUSALS)
    outcome = "refused" if is_refusal else "failed"
    with db.transaction():
        audit.record(db, Event.ROLLBACK_OUTCOME, str(scope), {"outcome": outcome, "error": said})
        if isinstance(error, LockTimeoutError):
            breaker.count_lock_failure(db, f"rollback of {scope}", policy)
        elif isinstance(error, Exception) and not is_refusal:
            breaker.trip(db, f"rollback of {scope} failed: {said}")


def _are_back(db: Database, intended: Sequence[Restoration]) -> bool:
    inside = {(item.migration_id, item.position) for item in registry.in_attic(db)}
    return inside.isdisjoint((one.item.migration_id, one.item.position) for one in intended)


def _called_now(db: Database, scope: Scope) -> list[DeprecatedElement]:
    """Elements whose table or schema was renamed since, named by where they are now."""
    items = registry.in_attic(db, migration_id=scope.migration_id)
    return [
        item
        for item, now in zip(items, read_present(db, items), strict=True)
        if now.place and _as_called_now(item, now.place) == scope.element
    ]


def _as_called_now(item: DeprecatedElement, place: Place) -> Element:
    parent = place.table if item.element.parent else None
    return replace(item.element, schema=place.schema, parent=parent)
