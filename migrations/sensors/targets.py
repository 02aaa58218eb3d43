"""Targets: what of an element a sensor can be put on, as it is now."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from catalog.database import Database, identifier, load_sql
from catalog.elements import Element, Kind
from migrations.registry import DeprecatedElement

TABLE_KINDS = frozenset({"r", "p"})
# Nothing can be put on these.
WITHOUT_SENSORS = frozenset({Kind.INDEX, Kind.CONSTRAINT, Kind.ENUM, Kind.ENUM_VALUE, Kind.SEQUENCE})


class SensorKind(StrEnum):
    """What a sensor is."""

    CANARY = "canary"
    TRIGGER = "trigger"
    GRANT = "grant"


# Migration, position in it, kind, object, name, column.
SensorKey = tuple[str, int, SensorKind, int, str, int]


@dataclass(frozen=True)
class Part:
    """A relation that holds rows of an element: the element's own, or a partition or inheriting table of it.

    `kind` as in pg_class; `column` and `column_number` are those of a column that is watched, in this
    relation; `granted` is what the audit role was granted on the relation, or on the column.
    """

    oid: int
    schema: str
    name: str
    kind: str
    column: str | None
    column_number: int | None
    granted: frozenset[str]

    @property
    def path(self) -> str:
        """Its name, quoted."""
        return identifier(self.schema, self.name)


@dataclass(frozen=True)
class ShimView:
    """The view that keeps a former name working; `options` as in pg_class."""

    oid: int
    schema: str
    name: str
    definition: str
    options: tuple[str, ...]


@dataclass(frozen=True)
class Target:
    """An element and what there is of it; no parts where it has nothing that a sensor can be on."""

    item: DeprecatedElement
    parts: tuple[Part, ...] = ()
    shim: ShimView | None = None

    @property
    def element(self) -> Element:
        """The element under its former name, which is what the log says."""
        return self.item.element

    @property
    def is_column(self) -> bool:
        """Whether only a column of its parts is watched."""
        return self.element.kind is Kind.COLUMN


@dataclass(frozen=True)
class Sensor:
    """A sensor to make: the statements, and what the registry keeps of it; `on` is its relation, quoted."""

    item: DeprecatedElement
    kind: SensorKind
    on: str
    object_oid: int
    name: str
    statements: tuple[str, ...]
    column_number: int | None = None
    privileges: tuple[str, ...] = ()

    @property
    def key(self) -> SensorKey:
        """What tells it from every other that is armed."""
        item = self.item
        return (
            item.migration_id,
            item.position,
            self.kind,
            self.object_oid,
            self.name,
            self.column_number or 0,
        )


def read_targets(
    db: Database, items: Sequence[DeprecatedElement], audit_role: str | None
) -> tuple[Target, ...]:
    """Look at elements in the order given; reads the catalog alone and locks nothing."""
    with db.transaction():
        # With an empty search_path the definition of a view has every name qualified.
        db.execute("SET LOCAL search_path = ''")
        rows = db.fetch(
            load_sql("migrations", "sensor_targets"),
            {
                "kinds": [item.element.kind.value for item in items],
                "oids": [item.object_oid for item in items],
                "column_numbers": [item.column_number for item in items],
                "shim_oids": [item.shim_oid for item in items],
                "audit_role": audit_role,
            },
        )
    found = {row["position"]: row for row in rows}
    return tuple(_target(item, found.get(number)) for number, item in enumerate(items, start=1))


def _target(item: DeprecatedElement, row: dict[str, Any] | None) -> Target:
    if row is None:
        return Target(item)
    parts = tuple(Part(**{**part, "granted": frozenset(part["granted"])}) for part in row["parts"])
    shim = row["shim"]
    return Target(item, parts, ShimView(**{**shim, "options": tuple(shim["options"])}) if shim else None)
