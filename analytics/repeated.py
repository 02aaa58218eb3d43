"""Constraints that say word for word what another one of their table says: they need no observation."""

from collections.abc import Iterator

from analytics.observed import REPEATED, Candidate, Observed
from catalog.elements import Element, Kind
from catalog.objects import Constraint


def repeated_constraints(seen: Observed) -> Iterator[Candidate]:
    """All but the first of each set of equal checks, or equal unique constraints and primary keys."""
    first: dict[tuple[str, str, str], Constraint] = {}
    rank = {"p": 0, "u": 1, "c": 1}
    for item in sorted(seen.snapshot.constraints, key=lambda c: (rank.get(c.type, 2), c.oid)):
        element = Element(Kind.CONSTRAINT, item.schema, item.name, item.table)
        # One in the attic is on its way out: it makes no other one a repetition.
        if item.type not in rank or item.is_inherited or seen.is_deprecated(element):
            continue
        definition = item.definition.removeprefix("PRIMARY KEY").removeprefix("UNIQUE")
        kept = first.setdefault((item.schema, item.table, definition), item)
        table = seen.snapshot.relation(item.schema, item.table)
        if kept is item or not kept.is_validated or table is None or table.extension is not None:
            continue
        if not seen.is_free(element):
            continue
        index = seen.snapshot.index(item.schema, item.index) if item.index else None
        yield Candidate(
            element,
            REPEATED,
            "repeats another constraint",
            (f"{kept.name} of the same table says the same: {_shape(kept)}",),
            index.bytes if index else 0,
        )


def _shape(constraint: Constraint) -> str:
    # The text of a check holds constants, which may be anybody's data.
    kind = {"p": "primary key", "u": "unique", "c": "check"}[constraint.type]
    return f"{kind} on {', '.join(constraint.columns)}"
