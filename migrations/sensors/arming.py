"""Arming and disarming: sensors come and go in one transaction with their rows in the registry."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from catalog.database import Database, Json, load_sql
from catalog.elements import Element
from catalog.errors import DatabaseError, LockTimeoutError
from catalog.settings import PolicySettings
from migrations import audit, breaker, registry
from migrations.audit import Event
from migrations.errors import NothingInAtticError
from migrations.registry import DeprecatedElement
from migrations.retry import retrying
from migrations.sensors import audit_grants, canary, trigger
from migrations.sensors.present import SensorNow, armed_on, removals
from migrations.sensors.targets import Sensor, SensorKey, SensorKind, Target, read_targets

_Done = TypeVar("_Done", "Armed", "Disarmed")


@dataclass(frozen=True)
class Selection:
    """Which elements in the attic: those of some migrations, some elements, or all where nothing is named."""

    migrations: tuple[str, ...] = ()
    elements: tuple[Element, ...] = ()

    def __str__(self) -> str:
        return " ".join((*self.migrations, *map(str, self.elements))) or "everything in the attic"


@dataclass(frozen=True)
class Armed:
    """What became of one element: kinds of sensors made now, those it had, and why it has no others."""

    element: Element
    migration_id: str
    made: tuple[SensorKind, ...]
    had: tuple[SensorKind, ...]
    refused: dict[SensorKind, str]


@dataclass(frozen=True)
class Disarmed:
    """What was taken from one element, and what was not there any more or no longer ours."""

    element: Element
    migration_id: str
    removed: tuple[SensorKind, ...]
    notes: tuple[str, ...] = ()


def arm(
    db: Database,
    selection: Selection,
    *,
    policy: PolicySettings | None = None,
    on_retry: Callable[[str], None] = lambda _: None,
) -> tuple[Armed, ...]:
    """Put every sensor on elements that they can have: all or nothing. Safe to repeat.

    Raises NothingInAtticError where one that is named is not in the attic, BreakerOpenError, LockTimeoutError
    where the locks could not be had in some attempts.
    """
    registry.require(db)
    breaker.require_closed(db)
    oids = {item.object_oid for item in _selected(db, selection)}

    def once() -> tuple[Armed, ...]:
        items = _selected(db, selection, lock=True)
        return arm_within(db, items, str(selection))

    begun = db.fetch_value("SELECT clock_timestamp()")
    done = _carried_out(db, Event.ARM, selection, once, oids, policy, on_retry)
    # Who read before the commit passed the grant without a line: it tells from now on. Nobody writes past a
    # trigger that is being made.
    db.execute(
        "UPDATE pgattic.sensor SET made_at = clock_timestamp()"
        " WHERE kind = %s AND made_at >= %s AND removed_at IS NULL",
        [SensorKind.GRANT.value, begun],
    )
    return done


def disarm(
    db: Database,
    selection: Selection,
    *,
    despite_breaker: bool = False,
    policy: PolicySettings | None = None,
    on_retry: Callable[[str], None] = lambda _: None,
) -> tuple[Disarmed, ...]:
    """Take away what pgattic put on elements: all or nothing. Safe to repeat."""
    registry.require(db)
    if not despite_breaker:
        breaker.require_closed(db)
    oids = {item.object_oid for item in _selected(db, selection)}

    def once() -> tuple[Disarmed, ...]:
        items = _selected(db, selection, lock=True)
        sensors = armed_on(db, items)
        done = tuple(_disarmed(item, sensors) for item in items)
        statements = list(removals(sensors))
        record_removed(db, sensors)
        audit.record(
            db,
            Event.DISARM,
            str(selection),
            {
                "outcome": "done",
                "elements": {str(one.element): one.removed for one in done if one.removed},
                "notes": {str(one.element): one.notes for one in done if one.notes},
                "sql": statements,
            },
        )
        _run(db, statements)
        return done

    return _carried_out(db, Event.DISARM, selection, once, oids, policy, on_retry)


def arm_within(db: Database, items: Sequence[DeprecatedElement], subject: str) -> tuple[Armed, ...]:
    """Arm elements in the current transaction, which has taken its turn and reserved the audit trail."""
    role = audit_grants.audit_role(db)
    armed = armed_on(db, items)
    # What somebody took away or switched off is made again.
    gone = [sensor for sensor in armed if not sensor.is_ours or sensor.is_off]
    known = {sensor.key for sensor in armed} - {sensor.key for sensor in gone}
    off = {sensor.key for sensor in gone if sensor.is_ours}
    # While they are recorded still: what is left of a grant of ours is not somebody else's.
    plans = [_offered(target, role, known, off) for target in read_targets(db, items, role)]
    record_removed(db, gone)
    made = sorted(
        (sensor for _, sensors in plans for sensor in sensors),
        # Tables in one order everywhere, so that two changes do not wait for each other.
        key=lambda sensor: (sensor.on, sensor.kind),
    )
    statements = [statement for sensor in made for statement in sensor.statements]
    done = tuple(_armed(target, sensors, armed, role) for target, sensors in plans)
    if made or gone:
        audit.record(
            db,
            Event.ARM,
            subject,
            {
                "outcome": "done",
                "elements": {str(one.element): one.made for one in done if one.made},
                "sql": statements,
            },
        )
    _run(db, statements)
    _record_made(db, made)
    return done


def record_removed(db: Database, sensors: Iterable[SensorNow]) -> None:
    """Mark sensors as removed, in the transaction that removes them and before it does."""
    ids = [sensor.id for sensor in sensors]
    if ids:
        db.execute(
            "UPDATE pgattic.sensor SET removed_at = clock_timestamp(), removed_by = session_user"
            " WHERE id = ANY (%s) AND removed_at IS NULL",
            [ids],
        )


def _offered(
    target: Target, role: str | None, known: set[SensorKey], off: set[SensorKey]
) -> tuple[Target, list[Sensor]]:
    """The sensors that an element can have and has not; of those that are off, what switches them on."""
    found = (*trigger.sensors(target), *canary.sensors(target), *audit_grants.sensors(target, role))
    return target, [
        # The last statement of each is the one that does it: the trigger itself is there.
        replace(sensor, statements=sensor.statements[-1:]) if sensor.key in off else sensor
        for sensor in found
        if sensor.key not in known
    ]


def _armed(target: Target, sensors: Sequence[Sensor], armed: Sequence[SensorNow], role: str | None) -> Armed:
    item = target.item
    made = {sensor.kind for sensor in sensors}
    own = {sensor.kind for sensor in armed if sensor.is_ours and not sensor.is_off and _is_of(sensor, item)}
    had = own - made
    reasons = {
        SensorKind.TRIGGER: trigger.against(target),
        SensorKind.CANARY: canary.against(target),
        SensorKind.GRANT: audit_grants.against(target, role),
    }
    return Armed(
        item.element,
        item.migration_id,
        _in_order(made),
        _in_order(had),
        {kind: reason for kind, reason in reasons.items() if reason and kind not in made | had},
    )


def _disarmed(item: DeprecatedElement, sensors: Sequence[SensorNow]) -> Disarmed:
    own = [sensor for sensor in sensors if _is_of(sensor, item)]
    return Disarmed(
        item.element,
        item.migration_id,
        _in_order({sensor.kind for sensor in own if sensor.is_ours}),
        tuple(dict.fromkeys(note for sensor in own if (note := sensor.note))),
    )


def _is_of(sensor: SensorNow, item: DeprecatedElement) -> bool:
    return (sensor.migration_id, sensor.position) == (item.migration_id, item.position)


def _in_order(kinds: Iterable[SensorKind]) -> tuple[SensorKind, ...]:
    given = set(kinds)
    return tuple(kind for kind in SensorKind if kind in given)


def _selected(db: Database, selection: Selection, *, lock: bool = False) -> list[DeprecatedElement]:
    items = registry.in_attic(db, lock=lock)
    wanted = [
        item
        for item in items
        if not (selection.migrations or selection.elements)
        or item.migration_id in selection.migrations
        or item.element in selection.elements
    ]
    found = {item.migration_id for item in wanted} | {str(item.element) for item in wanted}
    missing = [name for name in (*selection.migrations, *map(str, selection.elements)) if name not in found]
    if missing:
        raise NothingInAtticError("not in the attic", where=", ".join(missing))
    if not wanted:
        raise NothingInAtticError("nothing is in the attic", where=db.where)
    return wanted


def _record_made(db: Database, made: Sequence[Sensor]) -> None:
    if not made:
        return
    rows: list[dict[str, Any]] = []
    for sensor in made:
        item = sensor.item
        rows.append(
            {
                "migration_id": item.migration_id,
                "position": item.position,
                "element": str(item.element),
                "kind": sensor.kind,
                "object_oid": sensor.object_oid,
                "column_number": sensor.column_number,
                "name": sensor.name,
                "privileges": sensor.privileges,
            }
        )
    db.execute(load_sql("migrations", "record_sensors"), {"rows": Json(rows)})


def _run(db: Database, statements: Sequence[str]) -> None:
    if statements:
        # One message for all: locks are held for one round trip, however many there are.
        db.execute(";\n".join(statements))


def _carried_out(
    db: Database,
    event: Event,
    selection: Selection,
    once: Callable[[], tuple[_Done, ...]],
    oids: set[int],
    policy: PolicySettings | None,
    on_retry: Callable[[str], None],
) -> tuple[_Done, ...]:
    try:
        for attempt in retrying(on_retry, db=db, oids=oids):
            with attempt, db.transaction():
                # In this order everywhere, and before the first lock on a table of the user's.
                registry.take_turn(db)
                audit.reserve(db)
                done = once()
    except Exception as error:
        # On a connection that is gone nothing can be written.
        with suppress(DatabaseError), db.transaction():
            audit.record(db, event, str(selection), {"outcome": "failed", "error": str(error)})
            if isinstance(error, LockTimeoutError):
                breaker.count_lock_failure(db, f"{event.value} of {selection}", policy or PolicySettings())
        raise
    return done
