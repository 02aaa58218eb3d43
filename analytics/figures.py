"""The figures of one moment that a monitoring system wants to watch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from analytics.alerting.check import read_breaker
from analytics.alerting.delivery import Waiting, waiting
from analytics.coverage import Coverage, summarise, watched
from analytics.grounds import Grounds, read_grounds
from analytics.readiness import Readiness, readiness
from analytics.servers import servers_watched
from analytics.store import Evidence
from catalog.database import Database
from catalog.errors import DatabaseError
from catalog.settings import Settings
from ingest.schemas import Source

# A monitoring system pays for each element for as long as it keeps figures.
MOST_ELEMENTS = 200
_COVERED = timedelta(days=1)
# What the servers count is held against what they have counted now.
_ASKED_OF_SERVERS = (Source.COUNTER, Source.STATEMENTS)


@dataclass(frozen=True)
class Figures:
    """What was so at `taken_at`; `judged` and `breaker_open` are None where no database could be asked."""

    taken_at: datetime
    uses: Sequence[Mapping[str, Any]]
    nodes: Sequence[Mapping[str, Any]]
    alerts: Sequence[Mapping[str, Any]]
    coverage: Sequence[Coverage]
    waiting: Sequence[Waiting]
    judged: Sequence[Readiness] | None
    breaker_open: bool | None


def take(settings: Settings, connect: Callable[[], Database], now: datetime) -> Figures:
    """Read the evidence and, if it answers, the database; raises EvidenceError or AlertStateError."""
    directory = settings.data.directory
    with Evidence.open(directory) as evidence:
        grounds, breaker_open = _of_database(settings, connect, evidence, now)
        return Figures(
            now,
            evidence.query("metrics_uses", at_most=MOST_ELEMENTS).to_pylist(),
            evidence.query("metrics_nodes").to_pylist(),
            evidence.query("metrics_alerts").to_pylist(),
            _coverage(settings, evidence, grounds, now),
            waiting(directory),
            readiness(grounds) if grounds else None,
            breaker_open,
        )


def _of_database(
    settings: Settings, connect: Callable[[], Database], evidence: Evidence, now: datetime
) -> tuple[Grounds | None, bool | None]:
    if not settings.database.dsn:
        return None, None
    try:
        with connect() as db:
            return read_grounds(db, settings, evidence, now), read_breaker(db) is not None
    except DatabaseError:
        # That it does not answer is a figure, too.
        return None, None


def _coverage(
    settings: Settings, evidence: Evidence, grounds: Grounds | None, now: datetime
) -> Sequence[Coverage]:
    """How much of the last day each source watched, as far as that can be told."""
    since = now - _COVERED
    if grounds is not None:
        found = servers_watched(grounds, since)
    else:
        by_source = watched(evidence, since, now, settings.node_names, settings.policy)
        found = {source: by_source[source] for source in by_source if source not in _ASKED_OF_SERVERS}
    return [summarise(source, since, now, found[source]) for source in Source if source in found]
