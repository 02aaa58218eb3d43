"""Which alerts the uses of a batch make: its causes, rules and what was said before go in, alerts come out.

Only the times of uses count, never when they were read: the same batch makes the same alerts, whenever.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from analytics.alerting.causes import Cause, put_together
from analytics.alerting.memory import DAY_US, Memory, Subject, subject
from analytics.alerting.mutes import Times
from analytics.alerting.patterns import is_of_kind, means
from analytics.sentences import count, duration
from catalog.alert_settings import AccessRule, BurstRule, ThresholdRule, UseRule
from ingest.schemas import ALERT, Operation

_DID = {Operation.READ: "read it", Operation.WRITE: "wrote to it", Operation.DDL: "changed its definition"}


def alerts_of(
    causes: Sequence[Cause], rules: Iterable[AccessRule], memory: Memory, now: datetime
) -> list[dict[str, Any]]:
    """The ALERT rows of a batch, in the order of what they are about; the memory has them afterwards."""
    found: list[dict[str, Any]] = []
    for rule in rules:
        for about, cause in _subjects(rule, causes, memory):
            alert = _judged(rule, about, cause, memory, now)
            if isinstance(rule, BurstRule | ThresholdRule):
                memory.count(rule, about, cause.times)
            if alert is not None:
                memory.speak(about, _us(alert["occurred_at"]))
                found.append(alert)
    return sorted(found, key=lambda alert: alert["occurred_at"])


def count_uses(causes: Collection[Cause], rules: Iterable[AccessRule], memory: Memory) -> None:
    """Take in uses that rules count, without an alert."""
    for rule in rules:
        if isinstance(rule, BurstRule | ThresholdRule):
            for about, cause in _subjects(rule, causes, memory):
                memory.count(rule, about, cause.times)


def _subjects(rule: AccessRule, causes: Collection[Cause], memory: Memory) -> list[tuple[Subject, Cause]]:
    together: dict[Subject, list[Cause]] = {}
    for cause in causes:
        if _concerns(rule, cause, memory):
            together.setdefault(subject(rule, cause), []).append(cause)
    return [(about, put_together(several)) for about, several in together.items()]


def _concerns(rule: AccessRule, cause: Cause, memory: Memory) -> bool:
    if not (is_of_kind(cause.used.element, rule.kinds) and means(rule, cause.used)):
        return False
    match rule.when:
        case "error":
            return cause.failed
        case "success":
            return not cause.failed
        case "new_source":
            return memory.is_new(cause)
        case _:
            return True


def _judged(
    rule: AccessRule, about: Subject, cause: Cause, memory: Memory, now: datetime
) -> dict[str, Any] | None:
    match rule:
        case UseRule():
            at = _after_cool_down(rule, about, cause.times, memory)
            new = "never before: " if rule.when == "new_source" else ""
            said = new + told(cause.first, len(cause.times))
        case BurstRule():
            at, uses = _burst(rule, about, cause.times, memory)
            said = f"{count(uses, 'use')} within {duration(rule.within)}, the last one by {_who(cause.first)}"
        case ThresholdRule():
            at, uses = _crossing(rule, about, cause.times, memory)
            said = f"{count(uses, 'use')} on one day, the last one by {_who(cause.first)}"
    if at is None:
        return None
    moment = _moment(at)
    kept = {name: cause.first[name] for name in ALERT.names if name in cause.first}
    return kept | {
        "occurred_at": moment,
        "day": moment.date(),
        "raised_at": now,
        "rule": rule.name,
        "severity": rule.severity.value,
        "message": f"{cause.first['element']} is in use: {said}",
    }


def _after_cool_down(rule: AccessRule, about: Subject, times: Times, memory: Memory) -> int | None:
    """The first of the times at which the rule may speak (again) about something."""
    spoken, silent = memory.spoken.get(about), rule.cool_down // timedelta(microseconds=1)
    if spoken is not None and silent:
        # Older uses can come later, from a file that was late.
        times = times[np.abs(times - spoken) >= silent]
    return int(times[0]) if len(times) else None


def _burst(rule: BurstRule, about: Subject, times: Times, memory: Memory) -> tuple[int | None, int]:
    """When the first burst was full that may be told, and how many uses it had by the end of the batch."""
    known = np.sort(np.concatenate([memory.recent.get(about, times[:0]), times]))
    if len(known) < rule.uses:
        return None, 0
    within = rule.within // timedelta(microseconds=1)
    ends, begins = known[rule.uses - 1 :], known[: len(known) - rule.uses + 1]
    full = ends[(ends - begins <= within) & (ends >= times[0])]
    at = _after_cool_down(rule, about, full, memory)
    if at is None:
        return None, 0
    return at, int(np.count_nonzero((known > at - within) & (known <= at + within)))


def _crossing(rule: ThresholdRule, about: Subject, times: Times, memory: Memory) -> tuple[int | None, int]:
    """When the uses of a day became as many as the rule says, and how many they are by now."""
    days = times // DAY_US
    for day in np.unique(days):
        before, of_day = memory.days.get((about, int(day)), 0), times[days == day]
        if before < rule.uses <= before + len(of_day):
            return int(of_day[rule.uses - before - 1]), before + len(of_day)
    return None, 0


def told(row: dict[str, Any], uses: int) -> str:
    """Say in words what a use was: who did what, through what, how often."""
    did = (
        f"failed with {row['sqlstate'] or 'an error'}"
        if row["outcome"] == "error"
        else _DID[Operation(row["operation"])]
    )
    via = f" through {row['via']}" if row["via"] else ""
    times = f", {uses:,} times" if uses > 1 else ""
    doubt = " (its name could also mean another element)" if row["ambiguous"] else ""
    return f"{_who(row)} {did}{via}{times}{doubt}"


def _who(row: dict[str, Any]) -> str:
    whence = ", ".join(part for part in (row["application"], row["client"]) if part)
    return f"{row['role'] or 'somebody'} ({whence})" if whence else row["role"] or "somebody"


def _moment(at_us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)


def _us(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
