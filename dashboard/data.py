"""What the pages show, gathered from the registry, the catalog and the evidence; nothing here draws.

Two gatherers, `overview` and `element_detail`, each with a wrapper that keeps its answer for a few seconds.
Cached answers are frozen and belong to everybody who looks: nobody changes them.
"""

import os
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import streamlit as st

from analytics.coverage import Watched, watched
from analytics.grounds import Grounds, read_grounds
from analytics.readiness import Verdict, assess, gather
from analytics.servers import servers_watched
from analytics.store import Evidence
from analytics.usage import (
    ElementUsage,
    HourlyUse,
    hourly_detail,
    usage_by_element,
    uses_of,
)
from catalog.database import describe_target
from catalog.elements import Element
from catalog.errors import DatabaseError, SettingsError
from catalog.terminal import Invocation
from dashboard.facts import catalog_facts
from dashboard.model import AlertRow, AtticRow, ElementDetail, Overview
from dashboard.server import CONFIG_VARIABLE
from dashboard.watch import Watch, watch
from dashboard.window import Window, window
from ingest.schemas import Source
from migrations.errors import MigrationError
from migrations.registry import MigrationRow, migrations_of

CACHE_SECONDS = 5
ALERTS_SHOWN = 5
# What is armed on an element makes lines of these sources.
_SENSORS = {Source.SENSOR: ("canary", "trigger"), Source.AUDIT: ("grant",)}
# What is looked at where nothing is in the attic that would say since when.
_DEFAULT_WINDOW = timedelta(days=30)


def overview(config: Path | None, now: datetime) -> Overview:
    """Gather the overview; raises SettingsError and EvidenceError, but not for a database that is away."""
    invoked = Invocation(config)
    settings = invoked.settings
    with Evidence.open(settings.data.directory) as evidence:
        grounds, migrations, notice = _look(invoked, evidence, now)
        rows, restored = _rows(grounds) if grounds else (_rows_of_evidence(evidence), ())
        since = min((row.entry.deprecated_at for row in rows if row.entry), default=now - _DEFAULT_WINDOW)
        if grounds:
            seen = servers_watched(grounds, since)
        else:
            # Samples of counters say nothing without the counters as they are now; the logs do.
            seen = watched(evidence, since, now, settings.node_names, settings.policy)
        shown = window(since, now)
        return Overview(
            read_at=now,
            since=since,
            database=grounds.snapshot.database if grounds else describe_target(settings.database.dsn),
            notice=notice,
            rows=rows,
            restored=restored,
            migrations=migrations,
            watch=_watch(seen, rows, since, now),
            alerts=_alerts(evidence),
            shown=shown,
            timeline=_timeline(evidence, shown, since),
        )


def element_detail(
    config: Path | None,
    names: tuple[Element, ...],
    since: datetime,
    now: datetime,
    statement_ids: tuple[str, ...] = (),
) -> ElementDetail:
    """Gather the evidence on one element, whichever of its names it has there, since a moment.

    The texts of the statements are gathered, too. Raises SettingsError and EvidenceError.
    """
    settings = Invocation(config).settings
    with Evidence.open(settings.data.directory) as evidence:
        groups = [group for name in names for group in uses_of(evidence, name, since)]
        counted, shown = hourly_detail(evidence, since), window(since, now)
        seen = watched(evidence, since, now, settings.node_names, settings.policy)
        return ElementDetail(
            since=since,
            until=now,
            groups=tuple(sorted(groups, key=lambda group: group.last_at, reverse=True)),
            shown=shown,
            timeline=_timeline(evidence, shown, since, names),
            watch=_watch(seen, (), since, now),
            hourly=next((counted[name] for name in names if name in counted), None),
            texts={
                row["statement_id"]: row["text"]
                for row in evidence.query("called_texts").to_pylist()
                if row["statement_id"] in statement_ids
            },
        )


def config_path() -> Path | None:
    """The configuration file that the dashboard was started with."""
    given = os.environ.get(CONFIG_VARIABLE)
    return Path(given) if given else None


def default_since(now: datetime) -> datetime:
    """Since when to look at an element that is not in the attic."""
    return now - _DEFAULT_WINDOW


@st.cache_data(ttl=CACHE_SECONDS, max_entries=8, show_spinner="Reading the attic …")
def cached_overview(config: Path | None) -> Overview:
    """The overview as of now, or a few seconds ago."""
    return overview(config, datetime.now(UTC))


@st.cache_data(ttl=CACHE_SECONDS, max_entries=64, show_spinner="Reading the evidence …")
def cached_detail(
    config: Path | None,
    names: tuple[str, ...],
    since: datetime,
    until: datetime,
    statement_ids: tuple[str, ...] = (),
) -> ElementDetail:
    """The evidence on an element; its names are texts because Streamlit's cache has to hash them."""
    return element_detail(config, tuple(map(Element.parse, names)), since, until, statement_ids)


def forget() -> None:
    """Read everything anew at the next look."""
    cached_overview.clear()
    cached_detail.clear()


def _look(
    invoked: Invocation, evidence: Evidence, now: datetime
) -> tuple[Grounds | None, tuple[MigrationRow, ...], str | None]:
    """Read the database and its registry, or say why not."""
    try:
        with invoked.connect() as db:
            grounds = read_grounds(db, invoked.settings, evidence, now)
            try:
                return grounds, tuple(migrations_of(db)), None
            except MigrationError as error:
                return grounds, (), str(error)
    except (DatabaseError, SettingsError) as error:
        return None, (), str(error)


def _rows(grounds: Grounds) -> tuple[tuple[AtticRow, ...], tuple[AtticRow, ...]]:
    snapshot, policy, now = grounds.snapshot, grounds.policy, grounds.now
    # One former name can be in the attic twice, where somebody made its like anew and that went there too.
    judged = {
        (entry.element, entry.migration_id): (assess(entry, facts, policy, now), facts)
        for entry, facts in gather(grounds)
    }
    seen = _Seen(grounds.evidence)
    rows: list[AtticRow] = []
    restored: dict[Element, AtticRow] = {}
    for entry in snapshot.attic:  # oldest first, so the latest stay of a restored element is kept
        verdict, known = judged.get((entry.element, entry.migration_id), (None, None))
        facts = catalog_facts(snapshot, entry) if entry.is_in_attic else None
        wanted = policy.of(entry.element.kind).sources
        row = AtticRow(entry.element, entry, verdict, 0, None, facts, known, wanted)
        uses, last_use_at = seen.since(row.since or now, row.names)
        row = replace(row, uses=uses, last_use_at=last_use_at)
        if entry.is_in_attic:
            rows.append(row)
        else:
            restored[entry.element] = row
    back = [row for element, row in restored.items() if element not in {row.element for row in rows}]
    return tuple(sorted(rows, key=_urgency)), tuple(sorted(back, key=_restored_at, reverse=True))


def _urgency(row: AtticRow) -> tuple[int, float, str]:
    """What lacks most to be ready first, and there the latest used before all."""
    order = (Verdict.NOT_READY, Verdict.UNKNOWN, Verdict.READY)
    used_at = row.last_use_at.timestamp() if row.last_use_at else 0.0
    return order.index(row.verdict), -used_at, str(row.element)


def _restored_at(row: AtticRow) -> float:
    return row.entry.restored_at.timestamp() if row.entry and row.entry.restored_at else 0.0


class _Seen:
    """Uses of many elements; those of one migration share their moment, so each is asked for once."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._tracked: dict[datetime, dict[Element, ElementUsage]] = {}
        self._counted: dict[datetime, dict[Element, HourlyUse]] = {}

    def since(self, moment: datetime, names: tuple[Element, ...]) -> tuple[int, datetime | None]:
        """How many uses there were, and the last; two tables count the same ones, the larger figure holds."""
        if moment not in self._tracked:
            self._tracked[moment] = {use.element: use for use in usage_by_element(self._evidence, moment)}
            self._counted[moment] = hourly_detail(self._evidence, moment)
        tracked = [self._tracked[moment][name] for name in names if name in self._tracked[moment]]
        counted = [self._counted[moment][name] for name in names if name in self._counted[moment]]
        return (
            max(sum(use.uses for use in tracked), sum(use.uses for use in counted)),
            max([*(use.last_at for use in tracked), *(use.last_at for use in counted)], default=None),
        )


def _rows_of_evidence(evidence: Evidence) -> tuple[AtticRow, ...]:
    return tuple(
        AtticRow(usage.element, None, None, usage.uses, usage.last_at, None)
        for usage in usage_by_element(evidence)
    )


def _timeline(
    evidence: Evidence, shown: Window, since: datetime, names: tuple[Element, ...] | None = None
) -> pa.Table:
    return evidence.query(
        "uses_over_time",
        step_seconds=int(shown.step.total_seconds()),
        since=since,
        elements=list(map(str, names)) if names else None,
    )


def _watch(seen: Watched, rows: Iterable[AtticRow], since: datetime, until: datetime) -> Watch:
    """When the servers were watched, without what had nothing to watch."""
    # Nothing is armed anywhere: that the log would show its lines says nothing.
    armed = {sensor for row in rows if row.entry for sensor in row.entry.sensors}
    idle = {source for source, sensors in _SENSORS.items() if armed.isdisjoint(sensors)}
    found = {source: nodes for source, nodes in seen.items() if source not in idle}
    return watch(found, since, until, {Source.ERROR.value, *(one for row in rows for one in row.wanted)})


def _alerts(evidence: Evidence) -> tuple[AlertRow, ...]:
    return tuple(
        AlertRow(**{**row, "element": Element.parse(row["element"]) if row["element"] else None})
        for row in evidence.query("newest_alerts", at_most=ALERTS_SHOWN).to_pylist()
    )
