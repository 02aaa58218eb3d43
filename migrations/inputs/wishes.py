"""Wishes: existing elements that somebody wants deprecated, best first."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from catalog.counters import CounterSample
from catalog.elements import Element, Kind
from catalog.names import Reason
from catalog.snapshot import Snapshot


@dataclass(frozen=True)
class Wish:
    """One element with what was said of it; `origins` are those who named it.

    `confidence` is None where a person named it. `reason` is None where the reason of the whole plan holds.
    """

    element: Element
    origins: tuple[str, ...]
    reason: Reason | None = None
    note: str | None = None
    confidence: float | None = None
    performance_impact: str | None = None
    evidence: tuple[str, ...] = ()

    def joined(self, other: "Wish") -> "Wish":
        """Both in one: what a person said comes first, and the higher confidence stands."""
        confidences = (self.confidence, other.confidence)
        return replace(
            self,
            origins=tuple(dict.fromkeys(self.origins + other.origins)),
            reason=self.reason or other.reason,
            note=self.note or other.note,
            confidence=None if None in confidences else max(filter(None, confidences), default=0.0),
            performance_impact=self.performance_impact or other.performance_impact,
            evidence=tuple(dict.fromkeys(self.evidence + other.evidence)),
        )


@dataclass(frozen=True)
class Gain:
    """What a removal would save: bytes, and rows written that an index need not follow any more."""

    bytes: int
    writes: int


def in_order(wishes: Iterable[Wish], snapshot: Snapshot, counters: CounterSample) -> tuple[Wish, ...]:
    """Wishes by confidence, then by what they would gain; what a person named comes first."""

    def rank(wish: Wish) -> tuple[float, int, int, str]:
        found = gain(wish.element, snapshot, counters)
        sure = 2.0 if wish.confidence is None else wish.confidence
        return -sure, -found.bytes, -found.writes, str(wish.element)

    return tuple(sorted(wishes, key=rank))


def gain(element: Element, snapshot: Snapshot, counters: CounterSample) -> Gain:
    """What the removal of an element would gain; nothing where PostgreSQL does not say."""
    index_name = element.name if element.kind is Kind.INDEX else None
    if element.kind is Kind.CONSTRAINT:
        constraint = snapshot.constraint(element.schema, element.parent or "", element.name)
        index_name = constraint.index if constraint else None
    if index_name is not None:
        index = snapshot.index(element.schema, index_name)
        table = snapshot.relation(element.schema, index.table) if index else None
        counter = counters.counters.get(table.oid) if table else None
        return Gain(index.bytes if index else 0, counter.writes if counter else 0)
    if element.kind in (Kind.TABLE, Kind.MATVIEW):
        relation = snapshot.relation(element.schema, element.name)
        return Gain(relation.total_bytes if relation else 0, 0)
    return Gain(0, 0)
