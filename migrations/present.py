"""How elements in the attic are now: where, under which name, and what is in the way of their return."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from catalog.database import Database, load_sql
from catalog.elements import Kind
from migrations import integrity
from migrations.integrity import Observation
from migrations.registry import DeprecatedElement
from migrations.sensors.present import SensorNow, armed_on
from migrations.steps import Place


@dataclass(frozen=True)
class Holder:
    """Something that has a former name now; `space` tells the namespaces of PostgreSQL apart."""

    kind: str
    oid: int
    space: str


@dataclass(frozen=True)
class ShimNow:
    """A shim view as it is now.

    `users` are what would break without it, `grants` those that it has and what it shows has not.
    """

    oid: int
    schema: str
    name: str
    users: tuple[str, ...]
    grants: tuple[str, ...]


@dataclass(frozen=True)
class Present:
    """One element now; `place` and `name` are None where it is gone, `shim` where it has none any more.

    `holders` have its former name; `table_holders` that of the table behind its shim; `sensors` are armed on
    it.
    """

    place: Place | None
    name: str | None
    observation: Observation
    holders: tuple[Holder, ...] = ()
    shim: ShimNow | None = None
    table_holders: tuple[Holder, ...] = ()
    sensors: tuple[SensorNow, ...] = ()


def read_present(db: Database, items: Sequence[DeprecatedElement]) -> list[Present]:
    """Look at the elements in the order given; reads the catalog alone and locks no table."""
    places = db.fetch(load_sql("migrations", "places"), _identities(items))
    rows = {row["position"]: row for row in places}
    observations = integrity.observe(db, items)
    holders = _holders(db, items)
    table_holders = _holders_of_tables(db, items)
    shims = _shims(db, items)
    sensors: dict[tuple[str, int], list[SensorNow]] = {}
    for sensor in armed_on(db, items):
        sensors.setdefault((sensor.migration_id, sensor.position), []).append(sensor)
    found = []
    for position, (item, observation) in enumerate(zip(items, observations, strict=True), start=1):
        row = rows.get(position)
        found.append(
            Present(
                _place(item, row) if row else None,
                row["name"] if row else None,
                observation,
                holders.get(position, ()),
                shims.get(item.shim_oid or 0),
                table_holders.get(position, ()),
                tuple(sensors.get((item.migration_id, item.position), ())),
            )
        )
    return found


def found_again(db: Database, items: Sequence[DeprecatedElement]) -> list[DeprecatedElement]:
    """The same elements, where an index that REINDEX CONCURRENTLY made anew has its new OID."""
    present = {row["position"] for row in db.fetch(load_sql("migrations", "places"), _identities(items))}
    if len(present) == len(items):
        return list(items)
    return [
        item if position in present else _rebuilt(db, item) for position, item in enumerate(items, start=1)
    ]


def _rebuilt(db: Database, item: DeprecatedElement) -> DeprecatedElement:
    then = integrity.read(item.integrity)
    if item.element.kind is not Kind.INDEX or then is None:
        return item
    oid = db.fetch_value(
        "SELECT c.oid::bigint FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('i', 'I')",
        [item.element.schema, item.deprecated_name],
    )
    if oid is None:
        return item
    rebuilt = replace(item, object_oid=oid)
    return rebuilt if integrity.observe(db, [rebuilt])[0].index_shape == then.index_shape else item


def _identities(items: Sequence[DeprecatedElement]) -> dict[str, Any]:
    return {
        "kinds": [item.element.kind.value for item in items],
        "oids": [item.object_oid for item in items],
        "column_numbers": [item.column_number for item in items],
    }


def _place(item: DeprecatedElement, row: dict[str, Any]) -> Place:
    return Place(
        schema=row["schema"],
        table=row["table"],
        object_oid=item.object_oid,
        column_number=item.column_number,
        index=row["index"],
        table_oid=row["table_oid"],
    )


def _holders(db: Database, items: Sequence[DeprecatedElement]) -> dict[int, tuple[Holder, ...]]:
    names = {"names": [item.element.name for item in items]}
    return _held(db, _identities(items) | names)


def _holders_of_tables(db: Database, items: Sequence[DeprecatedElement]) -> dict[int, tuple[Holder, ...]]:
    hidden = [
        (position, item, item.shim)
        for position, item in enumerate(items, start=1)
        if item.shim and item.shim.is_hidden
    ]
    if not hidden:
        return {}
    found = _held(
        db,
        {
            "kinds": ["table"] * len(hidden),
            "oids": [item.object_oid for _, item, _ in hidden],
            "column_numbers": [None] * len(hidden),
            "names": [shim.name for _, _, shim in hidden],
        },
    )
    return {position: found.get(number, ()) for number, (position, _, _) in enumerate(hidden, start=1)}


def _held(db: Database, wanted: dict[str, Any]) -> dict[int, tuple[Holder, ...]]:
    found: dict[int, list[Holder]] = {}
    for row in db.fetch(load_sql("migrations", "former_names"), wanted):
        found.setdefault(row.pop("position"), []).append(Holder(**row))
    return {position: tuple(holders) for position, holders in found.items()}


def _shims(db: Database, items: Sequence[DeprecatedElement]) -> dict[int, ShimNow]:
    oids = sorted({item.shim_oid for item in items if item.shim_oid})
    if not oids:
        return {}
    rows = db.fetch(load_sql("migrations", "shims_now"), {"oids": oids})
    return {
        row["oid"]: ShimNow(**{**row, "users": tuple(row["users"]), "grants": tuple(row["grants"])})
        for row in rows
    }
