"""Sensors as they are now: what is armed on elements, and the statements that take it away."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.database import Database, identifier, load_sql
from catalog.elements import Element
from migrations.registry import DeprecatedElement
from migrations.sensors import audit_grants, canary, trigger
from migrations.sensors.audit_grants import ColumnGrant
from migrations.sensors.targets import SensorKey, SensorKind, ShimView


@dataclass(frozen=True)
class SensorNow:
    """A sensor that is armed; `is_there` is false where somebody removed what it is made of, `is_off` says
    that somebody switched its trigger off or took back a part of its grant.

    `relation` is the table or view that it is on, by its present name; `column` that of a grant on one;
    `is_shared` says that another element, which is not among those asked for, has the same grant;
    `definition` and `options` are those of a canary's view; `on_columns` are grants that a REVOKE on the
    table would take along.
    """

    id: int
    migration_id: str
    position: int
    element: Element
    kind: SensorKind
    object_oid: int
    column_number: int | None
    name: str
    privileges: tuple[str, ...]
    schema: str | None
    relation: str | None
    column: str | None
    is_there: bool
    is_off: bool = False
    is_shared: bool = False
    definition: str | None = None
    options: tuple[str, ...] = ()
    on_columns: tuple[ColumnGrant, ...] = ()

    @property
    def key(self) -> SensorKey:
        """What tells it from every other that is armed."""
        return (
            self.migration_id,
            self.position,
            self.kind,
            self.object_oid,
            self.name,
            self.column_number or 0,
        )

    @property
    def is_ours(self) -> bool:
        """Whether it is there, and as pgattic made it."""
        if not self.is_there:
            return False
        return self.kind is not SensorKind.CANARY or canary.is_canary(self.definition or "", self.element)

    @property
    def note(self) -> str | None:
        """What to say of it where it cannot be taken away as pgattic made it."""
        if self.is_ours:
            return None
        return f"its {_WORDS[self.kind]} was " + ("changed by somebody" if self.is_there else "gone already")


_WORDS = {
    SensorKind.CANARY: "canary in its compatibility view",
    SensorKind.TRIGGER: "statement trigger",
    SensorKind.GRANT: "grant to the audit role",
}
# Triggers first, as their locks are the ones to wait for. A REVOKE on a table takes along those on its
# columns, which are then granted again, so grants on columns end after that.
_ORDER = {SensorKind.TRIGGER: 0, SensorKind.CANARY: 1, SensorKind.GRANT: 2}


def armed_on(db: Database, items: Sequence[DeprecatedElement]) -> tuple[SensorNow, ...]:
    """The sensors that are armed on elements; reads the catalog alone and locks nothing."""
    with db.transaction():
        # With an empty search_path the definition of a view has every name qualified.
        db.execute("SET LOCAL search_path = ''")
        rows = db.fetch(
            load_sql("migrations", "sensors_now"),
            {
                "migration_ids": [item.migration_id for item in items],
                "positions": [item.position for item in items],
            },
        )
    return tuple(_sensor(row) for row in rows)


def removals(sensors: Iterable[SensorNow]) -> Iterator[str]:
    """The statements that take sensors away, in the order in which they must run."""
    for sensor in sorted(sensors, key=_turn):
        yield from removal(sensor)


def removal(sensor: SensorNow) -> tuple[str, ...]:
    """The statements that take one away; none where it is gone, or is no longer what pgattic made."""
    if not sensor.is_ours or sensor.is_shared or sensor.schema is None or sensor.relation is None:
        return ()
    path = identifier(sensor.schema, sensor.relation)
    match sensor.kind:
        case SensorKind.TRIGGER:
            return (trigger.removal(sensor.name, path),)
        case SensorKind.CANARY:
            view = ShimView(
                sensor.object_oid, sensor.schema, sensor.relation, sensor.definition or "", sensor.options
            )
            return (canary.replaced(view, canary.plain(view.definition, sensor.element)),)
        case SensorKind.GRANT:
            return tuple(
                audit_grants.removal(sensor.name, path, sensor.privileges, sensor.column, sensor.on_columns)
            )


def _turn(sensor: SensorNow) -> tuple[str, str, int, bool, int]:
    # Tables in one order everywhere, so that two changes do not wait for each other.
    is_of_column = sensor.column_number is not None
    return (sensor.schema or "", sensor.relation or "", _ORDER[sensor.kind], is_of_column, sensor.id)


def _sensor(row: dict[str, Any]) -> SensorNow:
    return SensorNow(
        **{
            **row,
            "element": Element.parse(row["element"]),
            "kind": SensorKind(row["kind"]),
            "privileges": tuple(row["privileges"]),
            "options": tuple(row["options"]),
            "on_columns": tuple(ColumnGrant(**grant) for grant in row["on_columns"]),
        }
    )
