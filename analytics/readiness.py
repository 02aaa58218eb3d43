"""Whether the elements in the attic could be removed: gathers what was seen, and has it judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from analytics.calls import Calls
from analytics.counters import Counters, counted_uses
from analytics.counting import Step
from analytics.coverage import Watched, common, watched
from analytics.enforcement import checked, is_needed_by_queries, is_planned_visibly
from analytics.facts import CountedUses, Facts
from analytics.grounds import Grounds
from analytics.reconciliation import KnownScans
from analytics.seen import Seen
from analytics.stretches import Stretch, within
from analytics.verdict import Readiness, Rule, Verdict, assess
from catalog.attic import AtticEntry
from catalog.closure import dependants, present_element
from catalog.counters import OpenUse
from catalog.dynamic import dynamic_functions
from catalog.elements import Element, Kind
from catalog.objects import Relation
from catalog.snapshot import Snapshot
from ingest.schemas import Source

# What a transaction locks when it uses it; an index is locked by whoever uses its table.
_LOCKED_KINDS = (Kind.TABLE, Kind.VIEW, Kind.MATVIEW, Kind.SEQUENCE)

__all__ = ["Facts", "Readiness", "Rule", "Verdict", "assess", "gather", "readiness"]


def readiness(grounds: Grounds) -> list[Readiness]:
    """Judge every element that is in the attic now, the longest there first."""
    return [assess(entry, facts, grounds.policy, grounds.now) for entry, facts in gather(grounds)]


def gather(grounds: Grounds) -> list[tuple[AtticEntry, Facts]]:
    """What was seen of every element that is in the attic now, the longest there first.

    The evidence is asked a fixed number of questions, whatever the number of elements.
    """
    snapshot, evidence, policy = grounds.snapshot, grounds.evidence, grounds.policy
    entries = sorted(
        (entry for entry in snapshot.attic if entry.is_in_attic), key=lambda e: (e.deprecated_at, e.element)
    )
    if not entries:
        return []
    tables: dict[int, list[Element]] = {}
    for entry in snapshot.attic:
        if entry.element.kind is Kind.TABLE:
            tables.setdefault(entry.object_oid, []).append(entry.element)
    found = [_Found(snapshot, entry, tables) for entry in entries]
    since = min(one.since for one in found)
    names = {name for one in found for name in one.names}
    of_nodes = Counters(grounds, {oid for one in found for oid in one.oids}, since)
    nodes, own = of_nodes.nodes, of_nodes.own_settings
    gathered = _Gathered(
        grounds,
        Seen(evidence, ((name, one.since) for one in found for name in one.names), policy.known_readers),
        watched(evidence, since, grounds.now, nodes, policy, of_nodes.promotions, own),
        of_nodes,
        Calls(evidence, policy, nodes, names, since, own),
        of_nodes.known_scans({name: oid for one in found for name, oid in one.counted_as.items()}, since),
        evidence.query("opaque").to_pylist()[0]["statements"],
        dynamic_functions(snapshot),
    )
    return [(one.entry, gathered.facts(one)) for one in found]


@dataclass(frozen=True)
class _Found:
    """An entry, and what the catalog knows of it now; `tables` are the former names of tables, by OID."""

    snapshot: Snapshot
    entry: AtticEntry
    tables: Mapping[int, Sequence[Element]]

    @cached_property
    def present(self) -> Element | None:
        return present_element(self.snapshot, self.entry)

    @cached_property
    def since(self) -> datetime:
        # The log tells milliseconds: a use in the rename's own one comes before it in microseconds.
        at = self.entry.deprecated_at
        return at.replace(microsecond=at.microsecond // 1000 * 1000)

    @cached_property
    def names(self) -> set[Element]:
        return _names_in_evidence(self.snapshot, self.entry, self.present, self.tables)

    @cached_property
    def oid(self) -> int | None:
        """The OID of what is counted: the element, the table of a column, the index of a constraint."""
        match self.entry.element.kind:
            case Kind.TABLE | Kind.MATVIEW | Kind.INDEX | Kind.SEQUENCE | Kind.COLUMN:
                return self.entry.object_oid
            case Kind.CONSTRAINT if self.present and self.present.parent:
                item = self.snapshot.constraint(self.present.schema, self.present.parent, self.present.name)
                index = self.snapshot.index(self.present.schema, item.index) if item and item.index else None
                return index.oid if index else None
            case _:
                return None

    @cached_property
    def checked(self) -> dict[str, tuple[int, ...]]:
        """The tables whose written rows it checks, with the OIDs that count them."""
        return checked(self.snapshot, self.present)

    @cached_property
    def checked_oids(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(oid for oids in self.checked.values() for oid in oids))

    @property
    def oids(self) -> set[int]:
        """Of everything whose counters tell something of it."""
        return {*self.checked_oids, *((self.oid,) if self.oid is not None else ())}

    @cached_property
    def is_needed_by_queries(self) -> bool:
        return is_needed_by_queries(self.snapshot, self.present)

    @property
    def is_moved(self) -> bool:
        """Whether its schema, or its table or type, has another name than it had or got from pgattic."""
        former, present = self.entry.element, self.present
        if present is None:
            return False
        if present.schema != former.schema:
            return True
        # The table of a soft deprecation makes room for a view of its name.
        return self.entry.shim_oid is None and present.parent not in self._names_of_parent

    @property
    def _names_of_parent(self) -> set[str | None]:
        """All names that its table or type had when it was put into the attic, or got there."""
        former, present = self.entry.element, self.present
        assert present is not None
        names = {former.parent}
        if present.parent is None:
            return names
        find = self.snapshot.enum if former.kind is Kind.ENUM_VALUE else self.snapshot.relation
        parent = find(present.schema, present.parent)
        for entry in self.snapshot.attic:
            is_it = parent is not None and entry.object_oid == parent.oid
            if is_it and entry.element.kind in (Kind.TABLE, Kind.ENUM):
                names |= {entry.element.name, entry.deprecated_name}
        return names

    @property
    def is_planned_visibly(self) -> bool:
        return self.oid is not None and is_planned_visibly(self.snapshot, self.oid)

    @property
    def counted_as(self) -> dict[str, int]:
        """What the evidence calls the table or sequence that a dump reads, with the OID that is counted."""
        if self.is_needed_by_queries and len(self.checked_oids) == 1:
            return {str(name.table): self.checked_oids[0] for name in self.names}
        if self.oid is None or self.entry.element.kind in (Kind.INDEX, Kind.CONSTRAINT):
            return {}
        tables = self.names if self.entry.element.kind is not Kind.COLUMN else {n.table for n in self.names}
        return {str(table): self.oid for table in tables}


@dataclass(frozen=True)
class _Gathered:
    """All that was asked of the evidence, for every element."""

    grounds: Grounds
    seen: Seen
    watched: Watched
    counters: Counters
    calls: Calls
    known: Mapping[int, tuple[KnownScans, ...]]
    opaque: int
    dynamic: tuple[str, ...]

    def facts(self, found: _Found) -> Facts:
        entry, since = found.entry, found.since
        uses = self.seen.of(found.names, since)
        counted, by_node = self._counted(found)
        if entry.element.kind is Kind.CONSTRAINT and not (found.checked or found.oid):
            # It checks nothing: there is nothing to count.
            by_node = {node: self.counters.looked_at(node) for node in self.counters.nodes}
        enforced, by_node = self._enforced(found, by_node)
        known = self.known.get(found.oid, ()) if found.oid is not None else ()
        called, told = self.calls.of(found.names, since, known)
        return Facts(
            since=entry.deprecated_at,
            until=self.grounds.now,
            present=found.present,
            uses=uses.uses,
            executed=uses.executed,
            last_use_at=uses.last_at,
            used_by=tuple(sorted(uses.used_by)),
            ignored=tuple(sorted(uses.ignored.items())),
            watched=self._watched(entry, by_node) | {Source.STATEMENTS: told},
            counted=counted,
            called=called,
            checks=tuple(found.checked),
            enforced=enforced,
            held=self.grounds.counters.holders.get(entry.object_oid)
            if entry.element.kind is Kind.ENUM_VALUE
            else None,
            is_planned_visibly=found.is_planned_visibly,
            is_fully_audited=_is_fully_audited(entry),
            opaque=self.opaque,
            dynamic=self.dynamic,
            nodes=self.counters.nodes,
            standbys=self.counters.standbys,
            oldest_session_at=self.counters.oldest_session_at,
            dependants=dependants(self.grounds.snapshot, found.present, known_as=(entry.element.name,))
            if found.present
            else (),
            reappeared=_reappeared(self.grounds.snapshot, entry.element, found.present),
            open_uses=self._open_uses(entry),
            is_moved=found.is_moved,
        )

    def _open_uses(self, entry: AtticEntry) -> tuple[OpenUse, ...]:
        """Who holds a lock on an element that is one itself; a dump of those who do not count is none."""
        if entry.element.kind not in _LOCKED_KINDS:
            return ()
        known = self.grounds.policy.known_readers
        return tuple(
            use
            for use in self.grounds.counters.open_uses
            if use.oid == entry.object_oid
            # No dump is ever prepared.
            and (use.prepared_as or (use.role not in known and use.application not in known))
        )

    def _counted(self, found: _Found) -> tuple[CountedUses | None, dict[str, Sequence[Stretch]]]:
        if found.oid is None:
            return None, {}
        counted = self.counters.of(found.oid, found.since, found.entry.baseline)
        if counted is None:
            return None, {}
        known = [scans for scans in self.known.get(found.oid, ()) if scans.at >= found.entry.deprecated_at]
        return counted_uses(counted, known), {node: one.stretches for node, one in counted.items()}

    def _enforced(
        self, found: _Found, by_node: dict[str, Sequence[Stretch]]
    ) -> tuple[CountedUses | None, dict[str, Sequence[Stretch]]]:
        """What was counted of the tables whose rows it checks; and when they, and it, were counted."""
        steps: list[Step] = []
        known: list[KnownScans] = []
        watched = [by_node] if found.oid is not None else []
        for oid in found.checked_oids:
            counted = self.counters.of(oid, found.since, None)
            if counted is None:
                return None, {}
            for step in counted_uses(counted, ()).steps:
                mine = step if found.is_needed_by_queries else replace(step, reads=0, looks=0)
                if mine.reads or mine.looks or mine.writes or mine.rewrites:
                    steps.append(mine)
            known += [scans for scans in self.known.get(oid, ()) if scans.at >= found.entry.deprecated_at]
            watched.append({node: one.stretches for node, one in counted.items()})
        if not found.checked_oids:
            return None, by_node
        both = {node: common(one.get(node, ()) for one in watched) for node in self.counters.nodes}
        return CountedUses(tuple(steps), tuple(known)), dict(both)

    def _watched(
        self, entry: AtticEntry, counters: Mapping[str, Sequence[Stretch]]
    ) -> dict[Source, Mapping[str, Sequence[Stretch]]]:
        """When each source watched this element: sensors and audit only since they are armed."""
        own: dict[Source, Mapping[str, Sequence[Stretch]]] = dict(self.watched)
        for source, kinds in ((Source.SENSOR, {"canary", "trigger"}), (Source.AUDIT, {"grant"})):
            armed_at = entry.armed_at if kinds & set(entry.sensors) else None
            own[source] = {
                node: within(stretches, max(armed_at, known_at), self.grounds.now)
                if armed_at and (known_at := self.counters.known_since(node, entry.deprecated_at))
                else []
                for node, stretches in own[source].items()
            }
        own[Source.COUNTER] = counters
        return own


def _is_fully_audited(entry: AtticEntry) -> bool:
    """Whether pgaudit, and a trigger for what it does not see, tell of every use.

    It does not see TRUNCATE of a table, which a trigger does; REFRESH of a materialized view; and where the
    grant is on a column, neither DELETE and TRUNCATE nor a whole row (`SELECT t FROM t`).
    """
    match entry.element.kind:
        case Kind.VIEW:
            return "grant" in entry.sensors
        case Kind.TABLE:
            return {"grant", "trigger"} <= {*entry.sensors}
        case _:
            return False


def _names_in_evidence(
    snapshot: Snapshot,
    entry: AtticEntry,
    present: Element | None,
    tables: Mapping[int, Sequence[Element]],
) -> set[Element]:
    """The names under which the evidence may have the element: normally its former one.

    The table of a column or constraint may have gone to the attic before or after it, and then has a former
    name of its own.
    """
    names = {entry.element} | ({present} if present else set())
    if present and present.parent:
        table = snapshot.relation(present.schema, present.parent)
        names |= {
            replace(name, parent=other.name)
            for other in (tables.get(table.oid, ()) if table else ())
            for name in (entry.element, present)
        }
    return names


def _reappeared(snapshot: Snapshot, former: Element, present: Element | None) -> str | None:
    """Say what has the former name now."""
    schema, name = former.schema, former.name
    # The table of a column or constraint may itself have got another name since.
    tables = {element.parent for element in (former, present) if element and element.parent}
    match former.kind:
        case Kind.TABLE | Kind.INDEX | Kind.ENUM | Kind.VIEW | Kind.MATVIEW | Kind.SEQUENCE:
            is_taken = any(
                (_not_shim(snapshot, schema, name), snapshot.index(schema, name), snapshot.enum(schema, name))
            )
        case Kind.COLUMN:
            is_taken = any(
                _not_shim(snapshot, schema, table) and snapshot.column(schema, table, name)
                for table in tables
            )
        case Kind.ENUM_VALUE:
            is_taken = any(snapshot.exists(replace(former, parent=parent)) for parent in tables)
        case Kind.CONSTRAINT:
            is_taken = any(snapshot.constraint(schema, table, name) for table in tables)
    return f"{former.path} exists again" if is_taken else None


def _not_shim(snapshot: Snapshot, schema: str, name: str) -> Relation | None:
    """The relation of that name, unless it is the view that keeps the name working."""
    relation = snapshot.relation(schema, name)
    return None if relation is None or relation.oid in snapshot.shims else relation
