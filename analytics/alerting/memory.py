"""What alerting remembers between batches: who used what before, what was said, how often something came.

It is no more than a cache of the evidence before a position in the log, and is made from the evidence again
after a restart. What a crashed batch left there lies behind that position and is not taken in, so the batch
meets the same memory again, and the same alerts come out.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from analytics.alerting.causes import Cause, Source, causes_of
from analytics.alerting.mutes import Times
from catalog.alert_settings import AccessRule, BurstRule, OnePer, ThresholdRule

if TYPE_CHECKING:
    from analytics.store import Evidence

# Of what a rule spoke: the rule, the element, and as much of the source and statement as tells it apart.
Subject = tuple[str, str, tuple[str | None, ...]]
Counted = tuple[str | None, ...]
DAY_US = 86_400_000_000


def subject(rule: AccessRule, cause: Cause) -> Subject:
    """What an alert of the rule about the cause would be about."""
    row = cause.first
    return rule.name, row["element"], _told_apart_by(rule.one_per, cause.source, row["statement_id"])


def _told_apart_by(one_per: OnePer, source: Source, statement_id: str | None) -> tuple[str | None, ...]:
    match one_per:
        case "element":
            return ()
        case "source":
            return source
        case "statement":
            return (*source, statement_id)


@dataclass
class Memory:
    """As of one position in the log; `since` is from when on it counted uses (microseconds)."""

    since: int
    sources: set[tuple[str, Source]] = field(default_factory=set)
    spoken: dict[Subject, int] = field(default_factory=dict)
    recent: dict[Subject, Times] = field(default_factory=dict)
    days: dict[tuple[Subject, int], int] = field(default_factory=dict)

    def is_new(self, cause: Cause) -> bool:
        """Whether nobody like this ever used the element."""
        return (cause.first["element"], cause.source) not in self.sources

    def meet(self, causes: Collection[Cause]) -> None:
        """Remember who used what."""
        self.sources.update((cause.first["element"], cause.source) for cause in causes)

    def speak(self, about: Subject, at: int) -> None:
        """Remember that an alert was raised."""
        self.spoken[about] = max(at, self.spoken.get(about, at))

    def count(self, rule: BurstRule | ThresholdRule, about: Subject, times: Times) -> None:
        """Remember the uses that a rule counts."""
        if isinstance(rule, BurstRule):
            known = np.concatenate([self.recent.get(about, times[:0]), times])
            # One less than would be a burst of their own.
            self.recent[about] = np.sort(known)[max(len(known) - rule.uses + 1, 0) :]
            return
        for day, uses in zip(*np.unique(times // DAY_US, return_counts=True), strict=True):
            key = (about, int(day))
            self.days[key] = self.days.get(key, 0) + int(uses)

    def forget(self, before: int) -> None:
        """Let go of what was counted before a moment (microseconds), so that it does not grow for ever."""
        self.since = max(self.since, before)
        self.recent = {about: times for about, times in self.recent.items() if times[-1] >= before}
        self.days = {(about, day): n for (about, day), n in self.days.items() if (day + 1) * DAY_US > before}


@dataclass(frozen=True)
class Position:
    """Where a batch begins: nothing of this log file from this byte on was seen before."""

    origin: str | None
    log_offset: int


def counted_from(rules: Collection[AccessRule], first_us: int) -> int:
    """From when on the rules count uses, for a batch that begins at a moment (both microseconds)."""
    spans = [rule.within for rule in rules if isinstance(rule, BurstRule)]
    since = first_us - max(spans, default=timedelta(0)) // timedelta(microseconds=1)
    counts_days = any(isinstance(rule, ThresholdRule) for rule in rules)
    return min(since, first_us - first_us % DAY_US) if counts_days else since


def recalled(
    evidence: "Evidence",
    rules: Collection[AccessRule],
    position: Position,
    since_us: int,
    counting: Callable[[Memory, list[Cause]], None],
) -> Memory:
    """The memory as of a position; `counting` counts uses as it is done with those of a batch."""
    behind: dict[str, object] = {"origin": position.origin, "log_offset": position.log_offset}
    memory = Memory(since_us)
    for row in evidence.query("alert_sources", **behind).to_pylist():
        memory.sources.add((row["element"], (row["role"], row["application"], row["client"])))
    by_name = {rule.name: rule for rule in rules}
    for row in evidence.query("alert_spoken", **behind).to_pylist():
        rule = by_name.get(row["rule"])
        if rule is not None:
            source = (row["role"], row["application"], row["client"])
            told_by = _told_apart_by(rule.one_per, source, row["statement_id"])
            memory.speak((rule.name, row["element"], told_by), row["occurred_us"])
    if any(isinstance(rule, BurstRule | ThresholdRule) for rule in rules):
        counting(memory, causes_of(_recent(evidence, behind, since_us)))
    return memory


def _recent(evidence: "Evidence", behind: dict[str, object], since_us: int) -> pa.Table:
    since = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=since_us)
    return evidence.query("alert_recent", since=since, **behind)
