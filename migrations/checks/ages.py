"""How old elements are, as far as PostgreSQL knows: it keeps no time of creation."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from catalog.database import Database, load_sql
from catalog.elements import Element
from catalog.snapshot import Snapshot
from migrations.checks.surroundings import Server
from migrations.operations import operation_for
from migrations.steps import Place


@dataclass(frozen=True)
class Age:
    """What is known of the age of an element; None is unknown.

    `changed_at` is when it was made or last altered, `existed_at` a time at which it surely existed.
    """

    changed_at: datetime | None
    existed_at: datetime | None


def ages(
    db: Database, server: Server, snapshot: Snapshot, elements: tuple[Element, ...]
) -> Mapping[Element, Age]:
    """The ages of elements: from commit times where the server keeps them, from files where we may look."""
    places = {
        element: place
        for element in elements
        if (place := operation_for(element.kind).locate(snapshot, element))
    }
    changed = _commit_times(db, places) if server.keeps_commit_times else {}
    written = _file_times(db, places) if server.may_stat_files else {}
    return {
        element: Age(changed.get(element), written.get(place.object_oid)) for element, place in places.items()
    }


def _commit_times(db: Database, places: Mapping[Element, Place]) -> dict[Element, datetime]:
    rows = db.fetch(
        load_sql("migrations", "commit_times"),
        {
            "kinds": [element.kind.value for element in places],
            "oids": [place.object_oid for place in places.values()],
            "column_numbers": [place.column_number for place in places.values()],
        },
    )
    found = {row["position"]: row["changed_at"] for row in rows}
    return {e: at for position, e in enumerate(places, start=1) if (at := found.get(position))}


def _file_times(db: Database, places: Mapping[Element, Place]) -> dict[int, datetime]:
    oids = [place.object_oid for element, place in places.items() if element.parent is None]
    rows = db.fetch(load_sql("migrations", "file_times"), {"oids": oids})
    return {row["oid"]: row["written_at"] for row in rows if row["written_at"]}
