"""Alerts: somebody used an element in the attic, so a person should look."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import pyarrow as pa

from catalog.database import APPLICATION_NAME
from ingest.schemas import ALERT, Operation, Outcome


class Severity(StrEnum):
    """How soon a person should look: something fails now, or somebody relies on what is to go."""

    CRITICAL = "critical"
    WARNING = "warning"


FAILED_RULE = "former name used"
USED_RULE = "element in the attic used"

# Uses that are alike in these are one alert of a batch: a job in a loop is one thing to look at.
_ALIKE = ["element", "application", "role", "client", "statement_id", "outcome"]
_DID = {Operation.READ: "read it", Operation.WRITE: "wrote to it", Operation.DDL: "changed its definition"}


def alerts_for(accesses: pa.Table, now: datetime) -> pa.Table:
    """Make the alerts of one batch of ACCESS rows, in the order of their first use."""
    first: dict[tuple[Any, ...], dict[str, Any]] = {}
    times: dict[tuple[Any, ...], int] = {}
    for row in accesses.sort_by("occurred_at").to_pylist():
        if row["outcome"] == Outcome.OK and row["application"] == APPLICATION_NAME:
            continue
        key = tuple(row[name] for name in _ALIKE)
        first.setdefault(key, row)
        times[key] = times.get(key, 0) + 1
    return pa.Table.from_pylist([_alert(row, times[key], now) for key, row in first.items()], schema=ALERT)


def describe(alert: Mapping[str, Any]) -> str:
    """Say an ALERT row in one line."""
    return f"{alert['occurred_at']:%Y-%m-%d %H:%M:%S} {alert['severity']}: {alert['message']}"


def _alert(row: dict[str, Any], uses: int, now: datetime) -> dict[str, Any]:
    failed = row["outcome"] == Outcome.ERROR
    kept = {name: row[name] for name in ALERT.names if name in row}
    return kept | {
        "raised_at": now,
        "rule": FAILED_RULE if failed else USED_RULE,
        "severity": Severity.CRITICAL if failed else Severity.WARNING,
        "message": _message(row, uses, failed=failed),
    }


def _message(row: dict[str, Any], uses: int, *, failed: bool) -> str:
    whence = ", ".join(part for part in (row["application"], row["client"]) if part)
    who = f"{row['role'] or 'somebody'} ({whence})" if whence else row["role"] or "somebody"
    did = f"failed with {row['sqlstate'] or 'an error'}" if failed else _DID[Operation(row["operation"])]
    via = f" through {row['via']}" if row["via"] else ""
    times = f", {uses:,} times" if uses > 1 else ""
    doubt = " (its name could also mean another element)" if row["ambiguous"] else ""
    return f"{row['element']} is in use: {who} {did}{via}{times}{doubt}"
