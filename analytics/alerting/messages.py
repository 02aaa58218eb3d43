"""Alerts in words: one in a line, several in a message."""

from collections.abc import Mapping, Sequence
from typing import Any

from analytics.sentences import count
from catalog.alert_settings import Severity

_AT_MOST_LINES = 20


def describe(alert: Mapping[str, Any]) -> str:
    """Say an ALERT row in one line."""
    return f"{alert['occurred_at']:%Y-%m-%d %H:%M:%S} {alert['severity']}: {alert['message']}"


def message(alerts: Sequence[Mapping[str, Any]]) -> tuple[str, str, Severity]:
    """Title, text and the worst severity of one message about several alerts, the worst first."""
    order = list(Severity)
    worst_first = sorted(alerts, key=lambda row: (order.index(row["severity"]), row["occurred_at"]))
    by_severity = [
        f"{sum(row['severity'] == severity for row in alerts)} {severity}"
        for severity in order
        if any(row["severity"] == severity for row in alerts)
    ]
    lines = [describe(row) for row in worst_first[:_AT_MOST_LINES]]
    if len(alerts) > _AT_MOST_LINES:
        lines.append(f"… and {count(len(alerts) - _AT_MOST_LINES, 'alert')} more: `pgattic alerts list`")
    title = f"pgattic: {count(len(alerts), 'alert')} ({', '.join(by_severity)})"
    return title, "\n".join(lines), Severity(worst_first[0]["severity"])
