"""The situation: everything that the safety checks look at, as values gathered at one moment."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from analytics.coverage import Coverage, coverage
from analytics.store import Evidence
from analytics.usage import HourlyUse, hourly_detail
from catalog.counters import CounterSample, read_counters
from catalog.database import Database, load_sql
from catalog.elements import Element
from catalog.settings import PolicySettings, Settings
from catalog.snapshot import Snapshot
from ingest.schemas import Source
from migrations import registry
from migrations.backup import SCANS_PER_BACKUP


@dataclass(frozen=True)
class Holder:
    """A session that holds a lock on a relation; `seconds` is the age of its transaction."""

    oid: int
    pid: int
    application: str
    role: str
    state: str
    seconds: float


@dataclass(frozen=True)
class Situation:
    """What is known of the elements of a plan and of the server now."""

    elements: tuple[Element, ...]
    snapshot: Snapshot
    counters: CounterSample
    uses: Mapping[Element, HourlyUse]
    coverage: Coverage
    is_standby: bool
    role: str
    unowned: frozenset[int]
    publications: Mapping[tuple[str, str], tuple[str, ...]]
    holders: tuple[Holder, ...]
    own_scans: Mapping[int, int]
    environment: str
    policy: PolicySettings
    now: datetime


def observe(
    db: Database, settings: Settings, snapshot: Snapshot, elements: tuple[Element, ...], now: datetime
) -> Situation:
    """Gather the situation from the database and the evidence tables."""
    since = now - timedelta(days=max(settings.policy.quiet_days, settings.policy.observed_days))
    with Evidence.open(settings.data.directory) as evidence:
        uses = hourly_detail(evidence, since)
        log_coverage = coverage(evidence, Source.LOG, since, now)
    counters = read_counters(db)
    return Situation(
        elements=elements,
        snapshot=snapshot,
        counters=counters,
        uses=uses,
        coverage=log_coverage,
        is_standby=bool(db.fetch_value("SELECT pg_is_in_recovery()")),
        role=str(db.fetch_value("SELECT current_user")),
        unowned=frozenset(row["oid"] for row in db.fetch(load_sql("migrations", "unowned"))),
        publications={
            (row["schema"], row["name"]): tuple(row["publications"])
            for row in db.fetch(load_sql("migrations", "publications"))
        },
        holders=tuple(Holder(**row) for row in db.fetch(load_sql("migrations", "holders"))),
        own_scans=_own_scans(db, counters),
        environment=settings.database.environment,
        policy=settings.policy,
        now=now,
    )


def _own_scans(db: Database, counters: CounterSample) -> dict[int, int]:
    """How many of the counted scans of each table, by OID, were pgattic's own backups.

    Only backups since the server's start count: a crash may have forgotten earlier scans, and subtracting
    those would hide somebody's use.
    """
    since = max(counters.server_started_at, counters.reset_at or counters.server_started_at)
    scans: Counter[int] = Counter()
    for backup in registry.backups_of(db):
        if backup.made_at > since:
            scans.update({table["oid"]: SCANS_PER_BACKUP for table in backup.tables})
    return dict(scans)
