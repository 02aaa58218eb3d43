"""What the catalog says of one element: its size, its definition, who owns it."""

from dataclasses import dataclass

from catalog.attic import AtticEntry
from catalog.closure import present_element
from catalog.elements import Element, Kind
from catalog.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class CatalogFacts:
    """`present` is its name now, None where it is gone; figures are None where the kind has none."""

    present: Element | None
    owner: str | None
    size_bytes: int | None
    estimated_rows: int | None
    definition: str | None


def catalog_facts(snapshot: Snapshot, entry: AtticEntry) -> CatalogFacts:
    """Look an element of the attic up under the name that it has now."""
    present = present_element(snapshot, entry)
    if present is None:
        return CatalogFacts(None, None, None, None, None)
    table = snapshot.relation(present.schema, present.parent or present.name)
    size_bytes = rows = definition = None
    match present.kind:
        case Kind.TABLE | Kind.MATVIEW if table:
            size_bytes, rows = table.total_bytes, table.estimated_rows
        case Kind.COLUMN:
            column = snapshot.column(present.schema, present.parent or "", present.name)
            definition = f"{column.type}{' NOT NULL' if column.not_null else ''}" if column else None
        case Kind.INDEX if index := snapshot.index(present.schema, present.name):
            size_bytes, definition = index.bytes, index.definition
        case Kind.CONSTRAINT:
            constraint = snapshot.constraint(present.schema, present.parent or "", present.name)
            definition = constraint.definition if constraint else None
        case Kind.ENUM if enum := snapshot.enum(present.schema, present.name):
            definition = "ENUM of " + ", ".join(enum.labels)
    return CatalogFacts(present, table.owner if table else None, size_bytes, rows, definition)
