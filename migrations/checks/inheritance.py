"""Is the element a part of another, or made of others?

Of tables, indexes and the constraints that stand on indexes, each part is renamed alone; a column or another
constraint is renamed in every child with the parent's.
"""

from collections.abc import Iterator

from analytics.sentences import listed
from catalog.closure import Dependant, dependants
from catalog.elements import Element, Kind, split_path
from catalog.objects import CHILDREN
from migrations.checks.situation import Situation
from migrations.findings import Finding, Severity

_AT_MOST = 5


def check(situation: Situation) -> Iterator[Finding]:
    """Whoever reads the parent reads its children, without naming them."""
    for element, found in situation.dependants.items():
        for dependant in (*found, *_parents_of_index(situation, element)):
            if situation.goes_along(dependant):
                continue
            if dependant.kind == "parent":
                yield Finding(
                    "part-of-parent",
                    Severity.BLOCK,
                    str(element),
                    str(dependant),
                    _together(situation, dependant),
                )
            elif dependant.kind in CHILDREN and element.table:
                yield from _column_of(situation, element, element.table, dependant)
            elif dependant.kind in CHILDREN:
                yield Finding(
                    "inherited-by",
                    Severity.BLOCK,
                    str(element),
                    str(dependant),
                    _together(situation, dependant),
                )


def _parents_of_index(situation: Situation, element: Element) -> Iterator[Dependant]:
    """What the index behind a constraint is a part of."""
    place = situation.places.get(element)
    if element.kind is Kind.CONSTRAINT and place and place.index:
        behind = Element(Kind.INDEX, element.schema, place.index)
        yield from (one for one in dependants(situation.snapshot, behind) if one.kind == "parent")


def _together(situation: Situation, dependant: Dependant) -> str:
    if situation.snapshot.index(*split_path(dependant.name)):
        part = situation.enforced_by(dependant) or f"index:{dependant.name}"
        return f"Put {part} into the plan, too: PostgreSQL removes the one only with the other"
    return f"Put table:{dependant.name} into the plan, too, or detach the child from its parent first"


def _column_of(
    situation: Situation, element: Element, parent: Element, child: Dependant
) -> Iterator[Finding]:
    """The same column of a child and of the children of that; what is renamed with it cannot be planned."""
    table = Element.parse(child.part_of)
    same = Element(Kind.COLUMN, table.schema, element.name, table.name)
    known = {*situation.dependants[element]}
    found = dependants(situation.snapshot, same)
    users = [
        f"{one.kind} {one.name}"
        for one in found
        if not (one.kind in CHILDREN or one in known or _is_copy(situation, one))
    ]
    detach = (
        f"ALTER TABLE {parent.path} DETACH PARTITION {child.name}"
        if child.kind == "partition"
        else f"ALTER TABLE {child.name} NO INHERIT {parent.path}"
    )
    yield Finding(
        "inherited-by",
        Severity.BLOCK,
        str(element),
        f"{child.kind} {child.name} has the column from {parent.path}, and it is renamed there, too"
        + (f"; there it is used by {listed(users, _AT_MOST)}" if users else ""),
        f"Make sure that nobody uses {same}, which goes along without being in the plan, and add"
        f" --override inherited-by=REASON; or take the {child.kind} out before: {detach}",
    )
    for one in found:
        if one.kind in CHILDREN and not situation.goes_along(one):
            yield from _column_of(situation, element, table, one)


def _is_copy(situation: Situation, dependant: Dependant) -> bool:
    """Whether it is a child's part of an index or constraint of the parent, which is told of there."""
    parts = split_path(dependant.name)
    if dependant.kind == "index":
        index = situation.snapshot.index(*parts)
        return index is not None and index.is_partition
    constraint = situation.snapshot.constraint(*parts) if dependant.kind == "constraint" else None
    return constraint is not None and constraint.is_inherited
