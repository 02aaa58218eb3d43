"""Builds evidence as ingestion would write it, into real Delta tables."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from analytics.alerts import Alerts
from catalog.alert_settings import AlertSettings
from ingest.schemas import TABLES, Source
from ingest.store import Store

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
DAY = timedelta(days=1)

_DEFAULTS: dict[str, dict[str, Any]] = {
    "access": {
        "node": "primary",
        "element": "table:public.users_old",
        "operation": "read",
        "outcome": "error",
        "source": "error",
        "via": None,
        "implicit": False,
        "ambiguous": False,
        "sqlstate": "42P01",
        "role": "report_job",
        "database": "shop",
        "application": "monthly_report",
        "client": "127.0.0.1",
        "statement_id": "s1",
        "session_id": "6b035698.34a9",
        "session_line": 1,
        "origin": "o1",
        "log_offset": 0,
    },
    "usage_hourly": {
        "node": "primary",
        "element": "table:public.orders",
        "operation": "read",
        "outcome": "ok",
        "source": "log",
        "implicit": False,
        "ambiguous": False,
        "role": "shop",
        "database": "shop",
        "application": "web",
        "statement_id": "s2",
        "uses": 1,
    },
    "sample": {"node": "primary", "settings": ["track_counts=on"], "standbys": 0},
    "counter": {"node": "primary", "reads": 0, "writes": 0},
    "statement": {"text": "SELECT count(*) FROM users_old", "is_parsed": True, "first_seen_at": NOW},
    "gap": {"node": "primary", "origin": "o1", "path": "/log/postgresql.csv", "lines": 1, "found_at": NOW},
    "coverage": {
        "node": "primary",
        "origin": "o1",
        "path": "/log/postgresql.csv",
        "start_offset": 0,
        "end_offset": 100,
        "records": 1,
        "sources": [Source.ERROR.value],
        "read_at": NOW,
    },
}


def rows(name: str, *given: dict[str, Any]) -> pa.Table:
    """Rows of an evidence table; what is not given is a believable default."""
    return pa.Table.from_pylist([_complete(name, row) for row in given], schema=TABLES[name])


def write(directory: Path, name: str, *given: dict[str, Any]) -> None:
    """Commit rows."""
    Store(directory).append(name, rows(name, *given), transaction=None)


def access(at: datetime = NOW, **given: Any) -> dict[str, Any]:
    return {"occurred_at": at, **given}


def hourly(element: str, at: datetime = NOW, **given: Any) -> dict[str, Any]:
    hour = at.replace(minute=0, second=0, microsecond=0)
    return {"element": element, "hour": hour, "first_at": at, "last_at": at, **given}


def alerts_for(accesses: pa.Table, now: datetime) -> pa.Table:
    """The alerts that a batch makes by the default rules where it is the first one ever."""
    with TemporaryDirectory() as nothing:
        return Alerts(AlertSettings(), Path(nothing))(accesses, now)


def covered(since: datetime, until: datetime, *sources: Source, node: str = "primary") -> dict[str, Any]:
    names = [source.value for source in sources or (Source.ERROR,)]
    return {"covered_from": since, "covered_to": until, "sources": names, "node": node}


def _complete(name: str, row: dict[str, Any]) -> dict[str, Any]:
    moment = next(
        row[key]
        for key in ("occurred_at", "hour", "covered_from", "first_seen_at", "sampled_at", "gap_from")
        if key in row
    )
    return {**_DEFAULTS.get(name, {}), "day": moment.date(), **row}
