"""What goes along with a table: the names that would stay behind and that nobody says without it."""

from collections.abc import Iterable, Iterator

from catalog.elements import Element, Kind
from catalog.snapshot import Snapshot

# NOT NULL is a property of its column, and its name is only unique within the table.
_NAMED_CONSTRAINTS = frozenset("cfpux")


def with_dependents(snapshot: Snapshot, elements: Iterable[Element]) -> list[Element]:
    """The same elements, each once, with the indexes, constraints and sequences of the tables among them.

    What is in the attic already stays there by itself.
    """
    wanted = dict.fromkeys(elements)
    inside = {(entry.element.kind, entry.object_oid) for entry in snapshot.attic if entry.is_in_attic}
    for element in list(wanted):
        own = (one for one in _of(snapshot, element) if (one.kind, snapshot.oid(one)) not in inside)
        wanted |= dict.fromkeys(own)
    return list(wanted)


def _of(snapshot: Snapshot, element: Element) -> Iterator[Element]:
    schema, name = element.schema, element.name
    if element.kind not in (Kind.TABLE, Kind.MATVIEW):
        return
    for index in snapshot.indexes:
        # An index behind a constraint is renamed with that.
        if (index.schema, index.table) == (schema, name) and not index.constraint:
            yield Element(Kind.INDEX, schema, index.name)
    for constraint in snapshot.constraints:
        is_own = (constraint.schema, constraint.table) == (schema, name)
        is_movable = not constraint.is_inherited or constraint.index
        if is_own and is_movable and constraint.type in _NAMED_CONSTRAINTS:
            yield Element(Kind.CONSTRAINT, schema, constraint.name, name)
    for relation in snapshot.relations:
        if (relation.kind, relation.schema, relation.used_by_table) == ("S", schema, name):
            yield Element(Kind.SEQUENCE, schema, relation.name)
