"""Rollback: give elements back their former names, in one transaction with the registry.

Elements are found by OID, so it does not matter whether their table was renamed in the meantime.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.database import Database, load_sql
from catalog.elements import Element, Kind
from catalog.errors import StatementFailedError
from migrations import registry
from migrations.errors import RollbackError
from migrations.operations import operation_for
from migrations.registry import DeprecatedElement
from migrations.retry import retrying
from migrations.steps import Place

# duplicate table, column, object (type, constraint)
_NAME_TAKEN = frozenset({"42P07", "42701", "42710"})


@dataclass(frozen=True)
class Restoration:
    """One element brought back, and the statements that did it."""

    item: DeprecatedElement
    statements: tuple[str, ...]


def waiting(
    db: Database, *, migration_id: str | None = None, element: Element | None = None
) -> list[DeprecatedElement]:
    """What a rollback would bring back, last rename first; raise RollbackError where there is nothing."""
    registry.require(db)
    items = registry.in_attic(db, migration_id=migration_id, element=element)
    if not items:
        raise RollbackError(
            "nothing in the attic",
            where=str(element or migration_id),
            todo="`pgattic status` lists the migrations and their elements",
        )
    return items


def rollback(
    db: Database,
    *,
    migration_id: str | None = None,
    element: Element | None = None,
    on_retry: Callable[[str], None] = lambda _: None,
) -> list[Restoration]:
    """Bring back a migration or one element, all or nothing; return what was done.

    Raises RollbackError where an element is gone, was renamed by somebody else, or its former name is taken.
    """
    done: list[Restoration] = []
    for attempt in retrying(on_retry):
        with attempt, db.transaction():
            items = waiting(db, migration_id=migration_id, element=element)
            done = restorations(items, _places(db, items))
            _run(db, done)
            registry.record_restored(db, items)
    return done


def restorations(
    items: Sequence[DeprecatedElement], places: Sequence["Place | RollbackError"]
) -> list[Restoration]:
    """The statements that bring elements back from their places, in the order given; pure.

    A table that comes back earlier in the same rollback is called by its former name from then on.
    """
    done = []
    names: dict[int, str] = {}
    for item, place in zip(items, places, strict=True):
        if isinstance(place, RollbackError):
            raise place
        former = item.element.name
        if item.element.kind is Kind.TABLE:
            names[item.object_oid] = former
        operation = operation_for(item.element.kind)
        there = place.in_table(names.get(place.table_oid or 0, place.table))
        rename = operation.rename(there, item.deprecated_name, former)
        done.append(Restoration(item, (rename, operation.comment(there, former, item.former_comment))))
    return done


def _run(db: Database, done: Sequence[Restoration]) -> None:
    try:
        # One message for all: locks are held for one round trip, however many elements there are.
        db.execute(";\n".join(statement for one in done for statement in one.statements))
    except StatementFailedError as error:
        if error.sqlstate in _NAME_TAKEN:
            raise RollbackError(
                f"a former name is taken again ({error.what}); nothing was changed",
                where=", ".join(sorted({str(one.item.element) for one in done})[:3]),
                todo="Find out who made the new one (a migration tool?), move it aside and try again",
            ) from error
        raise


def _places(db: Database, items: Sequence[DeprecatedElement]) -> list[Place | RollbackError]:
    rows = db.fetch(
        load_sql("migrations", "places"),
        {
            "kinds": [item.element.kind.value for item in items],
            "oids": [item.object_oid for item in items],
            "column_numbers": [item.column_number for item in items],
        },
    )
    found = {row["position"]: row for row in rows}
    return [_place(item, found.get(position)) for position, item in enumerate(items, start=1)]


def _place(item: DeprecatedElement, row: dict[str, Any] | None) -> Place | RollbackError:
    if row is None:
        return RollbackError(
            "no longer exists: somebody removed it", where=f"{item.element} as {item.deprecated_name}"
        )
    if row["name"] != item.deprecated_name:
        return RollbackError(
            f"is called {row['name']} now, not {item.deprecated_name}: somebody renamed it",
            where=str(item.element),
            todo=f"Rename it to {item.deprecated_name} and try again",
        )
    return Place(
        schema=row["schema"],
        table=row["table"],
        object_oid=item.object_oid,
        column_number=item.column_number,
        index=row["index"],
        table_oid=row["table_oid"],
    )
