"""What a plan tells those who review it, beside its SQL.

Who wants each element gone, what holds on to it, what will be dumped before the rename, by which policy.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from catalog.closure import Dependant
from catalog.counters import CounterSample
from catalog.elements import Element, Kind
from catalog.names import Reason
from catalog.objects import Relation
from catalog.settings import PolicySettings
from catalog.snapshot import Snapshot
from migrations.inputs.wishes import Wish, gain
from migrations.steps import ElementText, Step

# A backup holds the rows of these, and of the table that such a part belongs to.
_WITH_ROWS = (Kind.TABLE, Kind.COLUMN, Kind.CONSTRAINT)


@dataclass(frozen=True)
class Dossier:
    """One element as those who review the plan see it.

    `bytes` and `writes` are what its removal would save; `tables` are those dumped on its account.
    """

    element: ElementText
    reason: Reason
    origins: tuple[str, ...]
    confidence: float | None
    note: str | None
    performance_impact: str | None
    evidence: tuple[str, ...]
    bytes: int
    writes: int
    lock: str
    dependants: tuple[str, ...]
    tables: tuple[str, ...]


@dataclass(frozen=True)
class TableToDump:
    """A table whose rows the backup takes; `rows` is PostgreSQL's estimate."""

    schema: str
    name: str
    bytes: int
    rows: int


@dataclass(frozen=True)
class Review:
    """All dossiers, best first, and what the whole plan needs."""

    dossiers: tuple[Dossier, ...] = ()
    tables_to_dump: tuple[TableToDump, ...] = ()
    policy: dict[str, Any] = field(default_factory=dict)

    @property
    def bytes_to_dump(self) -> int:
        """The size of all tables that will be dumped, as they are on the server."""
        return sum(table.bytes for table in self.tables_to_dump)


def review(
    steps: Sequence[Step],
    wishes: Iterable[Wish],
    reason: Reason,
    held_by: Mapping[Element, Sequence[Dependant]],
    snapshot: Snapshot,
    counters: CounterSample,
    policy: PolicySettings,
) -> Review:
    """Put together what is to be reviewed; what nobody wished for came along with something else."""
    by_element = {step.element: step for step in steps}
    wished = [wish for wish in wishes if wish.element in by_element]
    named = {wish.element for wish in wished}
    others = (step.element for step in steps if step.element not in named)
    along = [Wish(element, ("along with another element",)) for element in others]
    return Review(
        dossiers=tuple(
            _dossier(
                by_element[wish.element], wish, reason, held_by.get(wish.element, ()), snapshot, counters
            )
            for wish in (*wished, *along)
        ),
        tables_to_dump=tuple(
            TableToDump(table.schema, table.name, table.total_bytes, table.estimated_rows)
            for table in tables_with_rows(by_element, snapshot)
        ),
        policy=policy.model_dump(mode="json"),
    )


def tables_with_rows(elements: Iterable[Element], snapshot: Snapshot) -> list[Relation]:
    """The tables whose rows a backup takes: those named, and those that a column or constraint is of."""
    named = {
        (element.schema, element.parent or element.name) for element in elements if element.kind in _WITH_ROWS
    }
    return [table for key in sorted(named) if (table := snapshot.relation(*key))]


def _dossier(
    step: Step,
    wish: Wish,
    reason: Reason,
    held_by: Sequence[Dependant],
    snapshot: Snapshot,
    counters: CounterSample,
) -> Dossier:
    element = step.element
    saved = gain(element, snapshot, counters)
    return Dossier(
        element=element,
        reason=wish.reason or reason,
        origins=wish.origins,
        confidence=wish.confidence,
        note=wish.note,
        performance_impact=wish.performance_impact,
        evidence=wish.evidence,
        bytes=saved.bytes,
        writes=saved.writes,
        lock=step.lock,
        dependants=tuple(str(one) for one in held_by),
        tables=tuple(
            Element(Kind.TABLE, table.schema, table.name).path
            for table in tables_with_rows([element], snapshot)
        ),
    )
