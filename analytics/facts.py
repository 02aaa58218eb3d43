"""What was seen of one element since its rename: all that a verdict decides on."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from analytics.counting import Step
from analytics.coverage import Coverage, Watched, summarise
from analytics.reconciliation import KnownScans, Reconciled, reconcile
from analytics.stretches import Stretch, joined
from catalog.closure import Dependant
from catalog.elements import Element, Kind
from catalog.policy import OR, RemovalPolicy
from ingest.schemas import Source


@dataclass(frozen=True, slots=True)
class CountedUses:
    """What the counters of all nodes say of one element, or of the table of a column, since the rename."""

    steps: tuple[Step, ...] = ()
    known: tuple[KnownScans, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """What was seen of one element between `since` and `until`.

    `present` is where it is now (None: gone). `uses` were seen in the log by others than the known readers,
    whose uses are in `ignored`, by name. `watched` says when each source watched each node. `counted` is None
    where no node ever counted it. `opaque` statements may have used anything. `standbys` stream from the
    primary; `nodes` are the servers that are watched. `reappeared` says what has the former name now;
    `oldest_session_at` is when the oldest session of a client began.
    """

    since: datetime
    until: datetime
    present: Element | None
    uses: int = 0
    last_use_at: datetime | None = None
    used_by: tuple[str, ...] = ()
    ignored: tuple[tuple[str, int], ...] = ()
    watched: Watched = field(default_factory=dict)
    counted: CountedUses | None = None
    opaque: int = 0
    nodes: tuple[str, ...] = ()
    standbys: int = 0
    oldest_session_at: datetime | None = None
    dependants: tuple[Dependant, ...] = ()
    reappeared: str | None = None

    def watches(self, policy: RemovalPolicy) -> dict[str, Coverage]:
        """How well each source that the policy wants has watched; of `a|b` either will do, at any moment."""
        return {wanted: self._watch(wanted) for wanted in policy.sources}

    def reconciled(self, since: datetime) -> Reconciled:
        """The counted uses since a moment that no known reader explains."""
        if self.counted is None:
            return Reconciled()
        return reconcile(self.counted.steps, self.counted.known, self.uses, max(since, self.since))

    def _watch(self, wanted: str) -> Coverage:
        sources = [source for source in map(Source, wanted.split(OR)) if self._can_tell(source)]
        key = (wanted, tuple(sources))
        by_node: dict[str, Sequence[Stretch]] = dict.fromkeys(self.nodes, ())
        sets = [self.watched.get(source, {}) for source in sources]
        for name in {*by_node, *(name for one in sets for name in one)}:
            found = [stretches for one in sets if (stretches := one.get(name))]
            by_node[name] = found[0] if len(found) == 1 else joined(s for part in found for s in part)
        return summarise(Source(key[0].split(OR)[0]), self.since, self.until, by_node)

    def _can_tell(self, source: Source) -> bool:
        """Whether a source can tell that the element itself was not used."""
        if source is Source.LOG:
            return self.opaque == 0
        is_column = self.present is not None and self.present.kind is Kind.COLUMN
        if source is Source.COUNTER and is_column:
            # The counters of a table say nothing of one of its columns, unless nobody used the table at all.
            return self.counted is not None and not self.reconciled(self.since).uses
        return True
