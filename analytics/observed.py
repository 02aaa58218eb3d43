"""What a scan decides on, and what it gives back."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from analytics.counters import Quiet
from analytics.coverage import Coverage
from analytics.sentences import percent
from analytics.usage import HourlyUse
from catalog.closure import dependants
from catalog.counters import CounterSample
from catalog.elements import Element, Kind
from catalog.names import parse
from catalog.objects import Relation
from catalog.settings import PolicySettings
from catalog.snapshot import Snapshot

_MONTH = timedelta(days=30)
_COUNTED_CEILING = 0.8
_LOGGED_BONUS = 0.15
REPEATED = 0.95


@dataclass(frozen=True, slots=True)
class Candidate:
    """An element that looks unused; `confidence` 0 to 1, `bytes` what its removal would free."""

    element: Element
    confidence: float
    reason: str
    evidence: tuple[str, ...]
    bytes: int


@dataclass(frozen=True)
class Observed:
    """All that a scan decides on; `since` is from when on nothing that was counted can have been lost.

    `quiet_since` says since when no server counted a use of a table or index, by OID; what is not known is
    not in it. `blind` are servers whose counters nobody reads.
    """

    snapshot: Snapshot
    counters: CounterSample
    policy: PolicySettings
    now: datetime
    since: datetime
    hourly: Mapping[Element, HourlyUse]
    logged: Coverage
    opaque: int
    quiet_since: Mapping[int, Quiet]
    blind: tuple[str, ...] = ()

    @property
    def window(self) -> timedelta:
        """How long was observed, by the server's clock where ours is behind."""
        return max(self.now, self.counters.taken_at) - self.since

    @property
    def is_long_enough(self) -> bool:
        """Whether the policy is content with it."""
        return self.window >= timedelta(days=self.policy.observed_days)

    @property
    def is_logged(self) -> bool:
        """Whether, over the window, (nearly) every statement was in a log that was read and understood."""
        return (
            self.is_long_enough
            and self.logged.covered_seconds > 0
            and self.logged.fraction >= self.policy.coverage_wanted
            and self.opaque == 0
        )

    def quiet(self, oid: int) -> timedelta | None:
        """For how long no server counted a use, or None where that is not known or not long enough."""
        found = self.quiet_since.get(oid)
        if found is None:
            return None
        span = max(self.now, self.counters.taken_at) - found.since
        wanted = timedelta(days=self.policy.observed_days)
        # What was used before may have its turn once a month, whatever the policy says.
        return span if span >= (max(wanted, _MONTH) if found.was_used else wanted) else None

    def confidence(self, ceiling: float, span: timedelta | None = None) -> float:
        """The confidence that a kind of evidence gives over a time, or over the window."""
        share = max(0.0, min(1.0, (self.window if span is None else span) / _MONTH))
        return round(ceiling * (0.5 + 0.5 * share), 2)

    def counted_confidence(self, span: timedelta | None = None) -> float:
        """The confidence where counters saw no use for a time, and logs too as far as they go."""
        return self.confidence(_COUNTED_CEILING + _LOGGED_BONUS * self.logged.fraction, span)

    @property
    def named_confidence(self) -> float:
        """The confidence where only the absence of a name in statements speaks."""
        return self.confidence(_COUNTED_CEILING)

    @property
    def what_logs_say(self) -> str:
        """What the logs add for an element that no statement named."""
        if self.logged.covered_seconds <= 0:
            return "no statement log was read: only counters and the catalog speak"
        share = percent(self.logged.fraction)
        return f"no statement in the log names it ({share} of the time all were logged)"

    def is_free(self, element: Element) -> bool:
        """Whether neither a log nor anything stored speaks for an element."""
        return element not in self.hourly and not dependants(self.snapshot, element)

    def is_deprecated(self, element: Element) -> bool:
        """Whether an element, or its table, is in the attic or looks as if it were."""
        names = (element.name, element.parent or "")
        return any(name in self._deprecated_names or parse(name) is not None for name in names)

    @cached_property
    def _deprecated_names(self) -> frozenset[str]:
        entries = [entry for entry in self.snapshot.attic if entry.is_in_attic]
        # A table behind a view of its own name has another one only to make room for that.
        behind = (self.snapshot.relations_by_oid.get(entry.object_oid) for entry in entries if entry.shim_oid)
        return frozenset(
            (*(entry.deprecated_name for entry in entries), *(table.name for table in behind if table))
        )


def is_plain_table(table: Relation) -> bool:
    """Whether a relation is a table whose counters say all about it."""
    # Inherited columns mark a partition or an inheriting table, which is used through its parent.
    return (
        table.kind == "r"
        and table.extension is None
        and not any(column.inherited for column in table.columns)
    )


def columns_of(table: Relation) -> Iterator[Element]:
    """The columns of a table as elements."""
    return (Element(Kind.COLUMN, table.schema, column.name, table.name) for column in table.columns)
