"""What was seen of one element since its rename: all that a verdict decides on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from analytics.calls import CalledUses
from analytics.counting import Step
from analytics.coverage import Coverage, Watched, summarise
from analytics.reconciliation import KnownScans, Reconciled, reconcile
from analytics.stretches import Stretch, joined
from catalog.closure import Dependant
from catalog.counters import OpenUse
from catalog.elements import Element, Kind
from catalog.holders import Holder
from catalog.policy import OR, RemovalPolicy
from ingest.schemas import Source

# Without a moment watched nothing is watched, whatever the policy wants.
_ANY = 1e-9
# pg_stat_statements keeps no constants, and nobody names an index that a query uses.
_SAID_BY_CONSTANTS = (Kind.ENUM_VALUE, Kind.SEQUENCE, Kind.INDEX)


@dataclass(frozen=True, slots=True)
class CountedUses:
    """What the counters of all nodes say of one element, or of the table of a column, since the rename."""

    steps: tuple[Step, ...] = ()
    known: tuple[KnownScans, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """What was seen of one element between `since` and `until`.

    `present` is where it is now (None: gone). `uses` were seen in the log by others than the known readers
    (`executed`: without those that failed on a name, by node),
    whose uses are in `ignored`, by name. `watched` says when each source watched each node. `counted` is None
    where no node ever counted it, `called` where no node's pg_stat_statements was read. `checks` are the
    tables whose written rows a constraint or unique index checks, `enforced` what the nodes counted there,
    None where none did (of a primary key also scans: a query may group by it). `held` are the columns that
    can hold an enum value, None where nobody looked. `is_planned_visibly` where planning alone reads a block
    of its table, `is_fully_audited` where an audit misses nothing that no armed trigger tells of. `opaque`
    statements may have used anything, and so may the functions in `dynamic`, of which
    a log tells calls only. `standbys` stream from the primary; `nodes` are the servers that are watched.
    `open_uses` are transactions that hold a lock on it, and may have used it uncounted. `is_moved` where its
    schema or table got another name from somebody else. `reappeared` says what has the former name now;
    `oldest_session_at` is when the oldest session of a client began, on any node.
    """

    since: datetime
    until: datetime
    present: Element | None
    uses: int = 0
    last_use_at: datetime | None = None
    executed: Mapping[str, int] = field(default_factory=dict)
    used_by: tuple[str, ...] = ()
    ignored: tuple[tuple[str, int], ...] = ()
    watched: Watched = field(default_factory=dict)
    counted: CountedUses | None = None
    called: CalledUses | None = None
    checks: tuple[str, ...] = ()
    enforced: CountedUses | None = None
    held: tuple[Holder, ...] | None = None
    is_planned_visibly: bool = True
    is_fully_audited: bool = False
    opaque: int = 0
    dynamic: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    standbys: int = 0
    oldest_session_at: datetime | None = None
    dependants: tuple[Dependant, ...] = ()
    reappeared: str | None = None
    open_uses: tuple[OpenUse, ...] = ()
    is_moved: bool = False

    def watches(self, policy: RemovalPolicy) -> dict[str, Coverage]:
        """How well each source that the policy wants has watched; of `a|b` either will do, at any moment."""
        return {wanted: self._watch(wanted) for wanted in policy.sources}

    def reconciled(self, since: datetime) -> Reconciled:
        """The counted uses since a moment that no known reader explains."""
        if self.counted is None:
            return Reconciled()
        return reconcile(self.counted.steps, self.counted.known, self._executed(), max(since, self.since))

    def checked(self, since: datetime) -> Reconciled:
        """What was written to the tables whose rows it checks (of a primary key: or read) since a moment."""
        if self.enforced is None:
            return Reconciled()
        return reconcile(self.enforced.steps, self.enforced.known, since=max(since, self.since))

    def _executed(self) -> Mapping[str, int]:
        """Uses that were executed, by node: of lines or of calls that were counted, whichever are more."""
        found = dict(self.executed)
        for node, calls in self.called.by_node.items() if self.called else ():
            found[node] = max(found.get(node, 0), calls)
        return found

    def is_watched_by(self, sources: str, policy: RemovalPolicy) -> bool:
        """Whether one of several sources (`a|b`) watched every server for as long as the policy wants."""
        able = [source for source in map(Source, sources.split(OR)) if self._can_tell(source)]
        return self._is_watched(able, policy)

    def is_audited(self, policy: RemovalPolicy) -> bool:
        """Whether its audit watched every server for so long, even if it does not see every use."""
        return self._is_watched([Source.AUDIT], policy)

    def blind(self, wanted: str) -> tuple[Source, ...]:
        """Those of `a|b` that can not tell that the element itself was not used, however long they watch."""
        # A table or view that is not audited in full can be armed.
        can_be_armed = self.present is not None and self.present.kind in (Kind.TABLE, Kind.VIEW)
        return tuple(
            source
            for source in map(Source, wanted.split(OR))
            if not (self._can_tell(source) or (source is Source.AUDIT and can_be_armed))
        )

    def _is_watched(self, sources: Sequence[Source], policy: RemovalPolicy) -> bool:
        if not any(any(self.watched.get(source, {}).values()) for source in sources):
            return False
        return self._together(sources).fraction >= max(policy.coverage_wanted, _ANY)

    def _watch(self, wanted: str) -> Coverage:
        sources = [Source(source) for source in wanted.split(OR)]
        able = [source for source in sources if self._can_tell(source)]
        return replace(self._together(able), source=sources[0])

    def _together(self, sources: Sequence[Source]) -> Coverage:
        """When any of several sources watched each node."""
        by_node: dict[str, Sequence[Stretch]] = dict.fromkeys(self.nodes, ())
        sets = [self.watched.get(source, {}) for source in sources]
        for name in {*by_node, *(name for one in sets for name in one)}:
            found = [stretches for one in sets if (stretches := one.get(name))]
            by_node[name] = found[0] if len(found) == 1 else joined(s for part in found for s in part)
        return summarise(next(iter(sources), Source.ERROR), self.since, self.until, by_node)

    def _can_tell(self, source: Source) -> bool:
        """Whether a source can tell that the element itself was not used."""
        if source is Source.LOG:
            return self.opaque == 0 and not self.dynamic
        if source is Source.AUDIT:
            return self.is_fully_audited
        if source is Source.STATEMENTS:
            return self.present is None or self.present.kind not in _SAID_BY_CONSTANTS
        is_column = self.present is not None and self.present.kind is Kind.COLUMN
        if source is Source.COUNTER and is_column:
            # The counters of a table say nothing of one of its columns, unless nobody used the table at all.
            return self.counted is not None and not self.reconciled(self.since).uses
        return True
