"""What a walk over consequences of uses carries along: what it found, saw, and has still to look at."""

from collections import deque

from catalog.elements import Element
from catalog.objects import Function
from ingest.grammar.paths import Path
from ingest.grammar.references import Effect
from ingest.meaning.direct import Direct, Touch, Use
from ingest.meaning.tables import Table
from ingest.meaning.world import World
from ingest.schemas import Operation


class Following:
    """Uses that follow from others, each found once and told with what the first came through."""

    def __init__(self, world: World, path: Path | None) -> None:
        self.world = world
        self.snapshot = world.snapshot
        self.path = path
        self.seen: set[object] = set()
        self.touches: deque[tuple[Touch, str | None]] = deque()
        self.functions: deque[tuple[Function, bool, str, Table | None]] = deque()
        self.uses: dict[Use, None] = {}
        self.effects: list[Effect] = []

    def queue(self, found: Direct, via: str | None, row: Table | None) -> None:
        """Look at all that a statement names, or a part of one whose NEW and OLD are rows of a table."""
        for touch in found.touches:
            self.then(touch, via)
        for function, ambiguous in found.functions:
            self.call(function, ambiguous=ambiguous, via=via, row=row)

    def then(self, touch: Touch, via: str | None) -> None:
        """Look at what follows from a touch, if that has not been done."""
        key = (touch.table.oid, touch.operation, touch.event, touch.columns, touch.ambiguous)
        if key not in self.seen:
            self.seen.add(key)
            self.touches.append((touch, via))

    def call(self, function: Function, *, ambiguous: bool, via: str | None, row: Table | None = None) -> None:
        """Look into a function, if that has not been done."""
        key = (function.oid, row.oid if row else None, ambiguous)
        if key not in self.seen:
            self.seen.add(key)
            named = via or f"function:{function.schema}.{function.name}"
            self.functions.append((function, ambiguous, named, row))

    def use(
        self,
        element: Element | None,
        operation: Operation,
        via: str,
        *,
        implicit: bool = False,
        ambiguous: bool = False,
    ) -> None:
        """An element is used; where there is none (a foreign table), nothing."""
        if element:
            self.uses[Use(element, operation, implicit=implicit, ambiguous=ambiguous, via=via)] = None


def writes(touch: Touch, column: str | None) -> bool:
    """Whether a column, by its name in the snapshot, is among those that are written."""
    if touch.columns is None or column is None or touch.event == "insert":
        return True
    return column in {touch.table.stored.get(name, name) for name in touch.columns} | touch.columns
