"""Where elements are that stand in a schema of their own right, and not in a table or type."""

from catalog.elements import Element
from catalog.snapshot import Snapshot
from migrations.steps import Place


def in_schema(snapshot: Snapshot, element: Element) -> Place | None:
    """The `locate` of tables, views, materialized views, sequences and enum types: by name in the schema."""
    oid = snapshot.oid(element)
    return Place(element.schema, None, oid) if oid else None
