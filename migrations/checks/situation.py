"""The situation: everything that the safety checks look at, as values gathered at one moment.

However many elements a plan has, it takes the same number of queries.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from analytics.coverage import Coverage, coverage
from analytics.store import Evidence
from analytics.usage import ElementUsage, HourlyUse, hourly_detail, usage_by_element
from catalog.closure import Dependant, dependants
from catalog.counters import CounterSample, read_counters
from catalog.database import Database, load_sql
from catalog.elements import Element, Kind, split_path
from catalog.objects import CHILDREN, Relation
from catalog.settings import BackupSettings, PolicySettings, Settings
from catalog.snapshot import Snapshot
from ingest.schemas import Source
from migrations import breaker, registry, row_proof
from migrations.backup import SCANS_PER_BACKUP
from migrations.blockers import Blocker, lock_holders
from migrations.breaker import BreakerState, RecentErrors
from migrations.checks.ages import Age, ages
from migrations.checks.surroundings import (
    ForeignTable,
    Published,
    SearchPath,
    Server,
    Slot,
    Standby,
    Subscribed,
    read_foreign_tables,
    read_published,
    read_search_paths,
    read_server,
    read_slots,
    read_standbys,
    read_subscribed,
)
from migrations.operations import operation_for
from migrations.steps import Place

# Of what is one with an element: its children, the parts of its index, and what it is a part of.
_FAMILY = frozenset({*CHILDREN, "index", "parent"})


@dataclass(frozen=True)
class Situation:
    """What is known of the elements of a plan and of the server now."""

    elements: tuple[Element, ...]
    snapshot: Snapshot
    counters: CounterSample
    uses: Mapping[Element, HourlyUse]
    tracked_uses: Mapping[Element, ElementUsage]
    coverage: Coverage
    server: Server
    is_pooled: bool
    unowned: frozenset[int]
    published: Mapping[tuple[str, str], Published]
    subscribed: Mapping[int, Subscribed]
    slots: tuple[Slot, ...]
    standbys: tuple[Standby, ...]
    foreign_tables: tuple[ForeignTable, ...]
    search_paths: tuple[SearchPath, ...]
    sessions: tuple[Blocker, ...]
    ages: Mapping[Element, Age]
    own_scans: Mapping[int, int]
    breaker: BreakerState
    recent_errors: RecentErrors
    environment: str
    policy: PolicySettings
    backup: BackupSettings
    now: datetime

    @cached_property
    def dependants(self) -> Mapping[Element, tuple[Dependant, ...]]:
        """What refers to each element."""
        return {element: dependants(self.snapshot, element) for element in self.elements}

    @cached_property
    def places(self) -> Mapping[Element, Place]:
        """Where each element is; one that is gone is left out."""
        found = {e: operation_for(e.kind).locate(self.snapshot, e) for e in self.elements}
        return {element: place for element, place in found.items() if place}

    @cached_property
    def planned(self) -> frozenset[str]:
        """The elements as people write them."""
        return frozenset(str(element) for element in self.elements)

    def goes_along(self, dependant: Dependant) -> bool:
        """Whether a parent or child, of a table or an index, is in the plan, too.

        An index also goes along by the name of the constraint that it enforces.
        """
        if dependant.kind not in _FAMILY:
            return False
        names = {f"{kind}:{dependant.name}" for kind in (Kind.TABLE, Kind.INDEX)}
        enforced = self.enforced_by(dependant)
        return bool(names & self.planned) or (enforced is not None and str(enforced) in self.planned)

    def enforced_by(self, dependant: Dependant) -> Element | None:
        """The constraint that an index enforces; None for whatever else there is."""
        if dependant.kind not in _FAMILY:
            return None
        index = self.snapshot.index(*split_path(dependant.name))
        if index is None or index.constraint is None:
            return None
        return Element(Kind.CONSTRAINT, index.schema, index.constraint, index.table)

    def relation_of(self, element: Element) -> Relation | None:
        """The relation that an element is, or is a part of; an enum type has none."""
        if element.kind in (Kind.ENUM, Kind.ENUM_VALUE):
            return None
        if element.kind is Kind.INDEX:
            index = self.snapshot.index(element.schema, element.name)
            return self.snapshot.relation(index.schema, index.table) if index else None
        return self.snapshot.relation(element.schema, element.parent or element.name)


def observe(
    db: Database, settings: Settings, snapshot: Snapshot, elements: tuple[Element, ...], now: datetime
) -> Situation:
    """Gather the situation from the database and the evidence tables."""
    since = now - timedelta(days=max(settings.policy.quiet_days, settings.policy.observed_days))
    last = breaker.state(db)
    with Evidence.open(settings.data.directory) as evidence:
        uses = hourly_detail(evidence, since)
        tracked = {usage.element: usage for usage in usage_by_element(evidence, since)}
        log_coverage = coverage(evidence, Source.LOG, since, now, settings.node_names, settings.policy)
        errors = breaker.recent_errors(evidence, snapshot, now, settings.policy, last)
    counters = read_counters(db)
    server = read_server(db)
    return Situation(
        elements=elements,
        snapshot=snapshot,
        counters=counters,
        uses=uses,
        tracked_uses=tracked,
        coverage=log_coverage,
        server=server,
        is_pooled=db.is_pooled,
        unowned=frozenset(row["oid"] for row in db.fetch(load_sql("migrations", "unowned"))),
        published=read_published(db),
        subscribed=read_subscribed(db),
        slots=read_slots(db),
        standbys=read_standbys(db),
        foreign_tables=read_foreign_tables(db),
        search_paths=read_search_paths(db, server),
        sessions=lock_holders(db),
        ages=ages(db, server, snapshot, elements),
        own_scans=_own_scans(db, counters),
        breaker=last,
        recent_errors=errors,
        environment=settings.database.environment,
        policy=settings.policy,
        backup=settings.backup,
        now=now,
    )


def _own_scans(db: Database, counters: CounterSample) -> dict[int, int]:
    """How many of the counted scans of each table, by OID, were pgattic's own.

    Only backups since the server's start count: a crash may have forgotten earlier scans, and subtracting
    those would hide somebody's use.
    """
    since = max(counters.server_started_at, counters.reset_at or counters.server_started_at)
    scans: Counter[int] = Counter()
    for backup in registry.backups_of(db):
        if backup.made_at > since:
            scans.update({table["oid"]: SCANS_PER_BACKUP for table in backup.tables})
    scans.update(row_proof.own_scans(db, since))
    return dict(scans)
