"""Alerts about what no line of a log tells: time that was not read, a name that is back, an open breaker."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from analytics.alerting.patterns import fits, is_of_kind
from analytics.reconciliation import Reconciled
from analytics.sentences import count, duration
from analytics.store import Evidence
from catalog.alert_settings import BreakerRule, ConditionRule, ElementStateRule, LateRule
from catalog.elements import Element, Kind
from ingest.schemas import ALERT

# What was not read longer ago than this was said already, or nobody asked for it to be said.
_LOOKED_BACK = timedelta(days=7)


@dataclass(frozen=True)
class Condition:
    """Something that is so since a moment; of an element, of a node, or of the whole database (both None).

    An `is_event` happened at that moment, and is told once; what `goes_on` is told once in a cool-down.
    """

    since: datetime
    said: str
    element: str | None = None
    node: str | None = None
    is_event: bool = False
    goes_on: bool = False


@dataclass(frozen=True)
class ElementState:
    """What is known of an element in the attic: what has its former name now, what was counted of it."""

    element: Element
    reappeared: str | None
    counted: Reconciled


@dataclass(frozen=True)
class State:
    """What the rules decide on; `breaker` is when and why it opened, `spoken` rows say what was said when."""

    now: datetime
    read_to: Sequence[Mapping[str, Any]]
    gaps: Sequence[Mapping[str, Any]]
    attic: Sequence[ElementState]
    breaker: Mapping[str, Any] | None
    spoken: Sequence[Mapping[str, Any]]

    @classmethod
    def of(
        cls,
        evidence: Evidence,
        attic: Sequence[ElementState],
        breaker: Mapping[str, Any] | None,
        now: datetime,
    ) -> "State":
        """With what the evidence tells."""
        return cls(
            now,
            evidence.query("alert_lag").to_pylist(),
            evidence.query("alert_gaps", since=now - _LOOKED_BACK).to_pylist(),
            attic,
            breaker,
            evidence.query("alert_conditions").to_pylist(),
        )


def condition_alerts(rules: Iterable[ConditionRule], state: State) -> pa.Table:
    """The ALERT rows that are due: no event twice, and nothing that goes on within the cool-down."""
    rows = [
        _row(rule, condition, state.now)
        for rule in rules
        for condition in _conditions(rule, state)
        if _is_due(rule, condition, state)
    ]
    return pa.Table.from_pylist(rows, schema=ALERT)


def _conditions(rule: ConditionRule, state: State) -> Iterable[Condition]:
    match rule:
        case LateRule(when="lag"):
            return _lags(rule, state)
        case LateRule():
            return _gaps(rule, state)
        case BreakerRule():
            opened = state.breaker
            return [_opened(opened)] if opened else []
        case ElementStateRule():
            return _states(rule, state)


def _lags(rule: LateRule, state: State) -> Iterable[Condition]:
    for row in state.read_to:
        lag = state.now - row["covered_to"]
        if lag > rule.longer_than and fits(row["node"], rule.nodes):
            said = f"the log of {row['node']} was last read up to {_minute(row['covered_to'])}"
            yield Condition(row["covered_to"], f"{said}, {duration(lag)} ago", node=row["node"], goes_on=True)


def _gaps(rule: LateRule, state: State) -> Iterable[Condition]:
    for row in state.gaps:
        start, end = row["gap_from"], row["gap_to"]
        lost = f", {count(row['lines'], 'line')} are lost" if row["lines"] else ""
        # Lines that are lost are told however short the time: a use may be among them.
        if fits(row["node"], rule.nodes) and (lost or end - start > rule.longer_than):
            said = (
                f"the log of {row['node']} was not read whole from {_minute(start)} to {_minute(end)}{lost}"
            )
            yield Condition(start, said, node=row["node"], is_event=True)


def _states(rule: ElementStateRule, state: State) -> Iterable[Condition]:
    for found in state.attic:
        element = str(found.element)
        if not (fits(element, rule.elements) and is_of_kind(element, rule.kinds)):
            continue
        if rule.when == "reappeared" and found.reappeared:
            said = f"{element}: {found.reappeared}; uses go there now and do not fail"
            yield Condition(state.now, said, element=element, goes_on=True)
        # The counters of a column are those of its table, whose uses need not be its own.
        is_its_own = found.element.kind is not Kind.COLUMN
        if rule.when == "unexplained" and is_its_own and found.counted.unexplained and found.counted.last_at:
            uses = count(found.counted.unexplained, "use")
            said = f"{element}: {uses} counted on {', '.join(found.counted.nodes)} that no line explains"
            yield Condition(found.counted.last_at, said, element=element, is_event=True, goes_on=True)


def _opened(breaker: Mapping[str, Any]) -> Condition:
    return Condition(breaker["opened_at"], f"the circuit breaker opened: {breaker['reason']}", is_event=True)


def _is_due(rule: ConditionRule, condition: Condition, state: State) -> bool:
    for row in state.spoken:
        about = (row["rule"], row["element"], row["node"])
        if about != (rule.name, condition.element, condition.node):
            continue
        if condition.is_event and row["occurred_at"] == condition.since:
            return False
        if condition.goes_on and state.now - row["raised_at"] < rule.cool_down:
            return False
    return True


def _row(rule: ConditionRule, condition: Condition, now: datetime) -> dict[str, Any]:
    return {
        "occurred_at": condition.since,
        "day": condition.since.date(),
        "raised_at": now,
        "rule": rule.name,
        "severity": rule.severity.value,
        "element": condition.element,
        "node": condition.node,
        "message": condition.said,
    }


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
