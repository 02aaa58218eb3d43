"""Rollback: give elements back their former names, in one transaction with the registry.

Elements are found by OID, so it does not matter whether their table was renamed in the meantime.
"""

from collections.abc import Callable
from dataclasses import dataclass

from catalog.database import Database, load_sql
from catalog.elements import Element
from catalog.errors import StatementFailedError
from migrations import registry
from migrations.apply import retrying
from migrations.errors import RollbackError
from migrations.operations import operation_for
from migrations.registry import DeprecatedElement
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
            done = [_restore(db, item) for item in waiting(db, migration_id=migration_id, element=element)]
    return done


def _restore(db: Database, item: DeprecatedElement) -> Restoration:
    # Looked up only now: an element restored a moment ago may be the table of this one.
    restoration = _restoration(db, item)
    try:
        for statement in restoration.statements:
            db.execute(statement)
    except StatementFailedError as error:
        if error.sqlstate in _NAME_TAKEN:
            raise RollbackError(
                f"its former name is taken again ({error.what})",
                where=str(item.element),
                todo="Find out who made the new one (a migration tool?), move it aside and try again",
            ) from error
        raise
    registry.record_restored(db, item)
    return restoration


def _restoration(db: Database, item: DeprecatedElement) -> Restoration:
    row = db.fetch_one(
        load_sql("migrations", "place"),
        {"kind": item.element.kind, "oid": item.object_oid, "column_number": item.column_number},
    )
    if row is None:
        raise RollbackError(
            "no longer exists: somebody removed it", where=f"{item.element} as {item.deprecated_name}"
        )
    if row["name"] != item.deprecated_name:
        raise RollbackError(
            f"is called {row['name']} now, not {item.deprecated_name}: somebody renamed it",
            where=str(item.element),
            todo=f"Rename it to {item.deprecated_name} and try again",
        )
    place = Place(row["schema"], row["table"], item.object_oid, item.column_number, row["index"])
    operation = operation_for(item.element.kind)
    former = item.element.name
    return Restoration(
        item,
        (
            operation.rename(place, item.deprecated_name, former),
            operation.comment(place, former, item.former_comment),
        ),
    )
