"""Looks at the database and the evidence for what no line of a log tells, and commits the alerts."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from analytics.alerting.conditions import ElementState, State, condition_alerts
from analytics.grounds import read_grounds
from analytics.readiness import gather
from analytics.store import Evidence
from catalog.alert_settings import BreakerRule, ElementStateRule, LateRule
from catalog.database import Database, load_sql
from catalog.settings import Settings
from ingest.store import Store


def check_conditions(settings: Settings, connect: Callable[[], Database], now: datetime) -> pa.Table:
    """The ALERT rows that were due, committed; the database is asked last, and only where a rule needs it.

    Raises DatabaseError, EvidenceError or StoreError; what was committed until then stays.
    """
    rules = settings.alerts.condition_rules
    directory = settings.data.directory
    with Evidence.open(directory) as evidence:
        state = State.of(evidence, (), None, now)
        late = condition_alerts([rule for rule in rules if isinstance(rule, LateRule)], state)
        _commit(directory, late)
        others = [rule for rule in rules if isinstance(rule, ElementStateRule | BreakerRule)]
        if not others or not settings.database.dsn:
            return late
        with connect() as db:
            breaker = read_breaker(db)
            wants_elements = any(isinstance(rule, ElementStateRule) for rule in others)
            attic = _attic(db, evidence, settings, now) if wants_elements else []
    found = condition_alerts(others, replace(state, attic=attic, breaker=breaker))
    _commit(directory, found)
    return pa.concat_tables([late, found])


def _commit(data_directory: Path, rows: pa.Table) -> None:
    if len(rows):
        Store(data_directory).append("alert", rows, transaction=None)


def _attic(db: Database, evidence: Evidence, settings: Settings, now: datetime) -> list[ElementState]:
    return [
        ElementState(entry.element, facts.reappeared, facts.reconciled(entry.deprecated_at))
        for entry, facts in gather(read_grounds(db, settings, evidence, now))
    ]


def read_breaker(db: Database) -> dict[str, object] | None:
    """When and why the circuit breaker opened, or None where it is closed or there is no registry."""
    if db.fetch_value("SELECT to_regclass('pgattic.breaker') IS NULL"):
        return None
    return db.fetch_one(load_sql("analytics", "breaker"))
