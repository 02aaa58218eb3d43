"""The uses that lines of the log show of many elements, each since a moment of its own."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from analytics.store import Evidence
from catalog.elements import Element

Asked = tuple[Element, datetime]
_Name = tuple[str, datetime]


@dataclass
class Uses:
    """Uses of one element; those by known readers, which do not count, are in `ignored`, by name.

    `executed` are those that got so far as to read or write something, by node.
    """

    uses: int = 0
    last_at: datetime | None = None
    used_by: set[str] = field(default_factory=set)
    ignored: dict[str, int] = field(default_factory=dict)
    executed: dict[str, int] = field(default_factory=dict)

    def add(self, row: Mapping[str, Any]) -> None:
        """Count a row of the query."""
        reader = row["reader"]
        if row["is_known"]:
            self.ignored[reader] = self.ignored.get(reader, 0) + row["uses"]
            return
        self.uses += row["uses"]
        self.executed[row["node"]] = self.executed.get(row["node"], 0) + row["executed"]
        self.last_at = max(self.last_at or row["last_at"], row["last_at"])
        if reader:
            self.used_by.add(reader)

    def merge(self, other: "Uses") -> None:
        """Add the same uses under another name of the element."""
        self.uses += other.uses
        self.last_at = max([at for at in (self.last_at, other.last_at) if at], default=None)
        self.used_by |= other.used_by
        for reader, uses in other.ignored.items():
            self.ignored[reader] = self.ignored.get(reader, 0) + uses
        for node, uses in other.executed.items():
            self.executed[node] = self.executed.get(node, 0) + uses


class Seen:
    """Answers from two questions to the evidence, whatever the number of elements."""

    def __init__(self, evidence: Evidence, asked: Iterable[Asked], known_readers: Collection[str]) -> None:
        wanted = sorted({(str(element), since) for element, since in asked})
        self._tracked, self._hourly = (
            _by_name(evidence, query, wanted, known_readers) for query in ("seen", "seen_hourly")
        )

    def of(self, names: Iterable[Element], since: datetime) -> Uses:
        """The uses of one element under all its names.

        Both tables count the same uses where the element was tracked, so the larger figure holds.
        """
        keys = [(str(name), since) for name in names]
        tracked, hourly = _sum(self._tracked, keys), _sum(self._hourly, keys)
        more = tracked if tracked.uses >= hourly.uses else hourly
        last_at = max([at for at in (tracked.last_at, hourly.last_at) if at], default=None)
        ignored = max(tracked.ignored, hourly.ignored, key=lambda by: sum(by.values()))
        # The hourly counts do not always know who.
        by_node = {
            node: max(tracked.executed.get(node, 0), hourly.executed.get(node, 0))
            for node in {*tracked.executed, *hourly.executed}
        }
        return Uses(more.uses, last_at, tracked.used_by or hourly.used_by, ignored, by_node)


def _by_name(
    evidence: Evidence, query: str, wanted: Sequence[_Name], known_readers: Collection[str]
) -> dict[_Name, Uses]:
    if not wanted:
        return {}
    found: dict[_Name, Uses] = {}
    rows = evidence.query(
        query,
        elements=[element for element, _ in wanted],
        since=[since for _, since in wanted],
        first_day=min(since for _, since in wanted).astimezone(UTC).date(),
        known=list(known_readers),
    )
    for row in rows.to_pylist():
        found.setdefault(wanted[row["number"] - 1], Uses()).add(row)
    return found


def _sum(found: Mapping[_Name, Uses], keys: Iterable[_Name]) -> Uses:
    total = Uses()
    for key in keys:
        if key in found:
            total.merge(found[key])
    return total
