"""Resolve: entries held against the catalog; patterns become elements, and what does not exist a problem."""

from collections import defaultdict
from collections.abc import Iterable

from catalog.elements import Element, Kind
from catalog.errors import ElementSyntaxError
from catalog.names import parse
from catalog.snapshot import Snapshot
from migrations.errors import PlanError
from migrations.inputs.entries import Entry
from migrations.inputs.patterns import is_pattern, parse_pattern
from migrations.inputs.problems import TOLD, Problem
from migrations.inputs.wishes import Wish
from migrations.plan import require_known


class Catalog:
    """A snapshot as inputs look at it: what exists by kind, and what is deprecated already."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._by_kind: dict[Kind, list[Element]] = defaultdict(list)
        for element in snapshot.elements():
            self._by_kind[element.kind].append(element)
        self._in_attic = {
            (entry.element.schema, entry.deprecated_name) for entry in snapshot.attic if entry.is_in_attic
        }

    def matching(self, text: str) -> list[Element]:
        """What a pattern means; raises ElementSyntaxError, or PlanError where it means nothing."""
        pattern = parse_pattern(text)
        found = [element for element in self._by_kind[pattern.kind] if pattern.matches(element)]
        live = [
            element for element in found if not self.is_deprecated(element) and self._stands_alone(element)
        ]
        if found and not live:
            raise PlanError("matches only what is deprecated already, or is renamed with something else")
        if not live:
            raise PlanError(f"matches no {pattern.kind} of database {self.snapshot.database}")
        return live

    def is_deprecated(self, element: Element) -> bool:
        """Whether an element, or what it belongs to, is in the attic or has a name as if it were."""
        index = self.snapshot.index(element.schema, element.name) if element.kind is Kind.INDEX else None
        names = (element.name, element.parent, index.table if index else None)
        return any(
            name is not None and ((element.schema, name) in self._in_attic or parse(name) is not None)
            for name in names
        )

    def _stands_alone(self, element: Element) -> bool:
        """Whether PostgreSQL renames it by itself; inherited parts and indexes of constraints it does not."""
        schema, parent, name = element.schema, element.parent or "", element.name
        match element.kind:
            case Kind.COLUMN:
                column = self.snapshot.column(schema, parent, name)
                return column is None or not column.inherited
            case Kind.CONSTRAINT:
                constraint = self.snapshot.constraint(schema, parent, name)
                return constraint is None or not constraint.is_inherited
            case Kind.INDEX:
                index = self.snapshot.index(schema, name)
                return index is None or index.constraint is None
            case _:
                return True


def resolve(entries: Iterable[Entry], snapshot: Snapshot) -> tuple[list[Wish], list[Problem]]:
    """Every element that the entries mean, once, and what is wrong with them."""
    catalog = Catalog(snapshot)
    wishes: dict[Element, Wish] = {}
    problems: list[Problem] = []
    for entry in entries:
        try:
            elements = _elements(entry, catalog, hint=len(problems) < TOLD)
        except (ElementSyntaxError, PlanError) as error:
            problems.append(_problem(entry, error))
            continue
        for element in elements:
            wish, known = _wish(entry, element), wishes.get(element)
            if known and known.reason and wish.reason and known.reason is not wish.reason:
                what = f"{element} has the reason {wish.reason} here and {known.reason} before"
                problems.append(Problem(entry.source, entry.place, what))
            wishes[element] = known.joined(wish) if known else wish
    return list(wishes.values()), problems


def _elements(entry: Entry, catalog: Catalog, *, hint: bool) -> list[Element]:
    if entry.may_be_pattern and is_pattern(entry.text):
        return catalog.matching(entry.text)
    element = Element.parse(entry.text)
    if not catalog.snapshot.exists(element):
        # Looking for a name that may be meant takes a while, so only for what is told.
        if hint:
            require_known(catalog.snapshot, element)
        raise PlanError(f"does not exist in database {catalog.snapshot.database}")
    return [element]


def _problem(entry: Entry, error: ElementSyntaxError | PlanError) -> Problem:
    what = f"{error.what}. {error.todo}" if error.todo else error.what
    text = repr(entry.text) if isinstance(error, ElementSyntaxError) else entry.text
    return Problem(entry.source, entry.place, f"{text}: {what}")


def _wish(entry: Entry, element: Element) -> Wish:
    return Wish(
        element=element,
        origins=(entry.origin,),
        reason=entry.reason,
        note=entry.note,
        confidence=entry.confidence,
        performance_impact=entry.performance_impact,
        evidence=entry.evidence,
    )
