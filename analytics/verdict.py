"""The verdict: rules over what was seen of an element in the attic, each with its figure; pure.

Any rule that is not met gives "not ready"; else any that cannot be known gives "unknown"; only all of them
met give "ready". Nothing unknown is ever taken for unused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from analytics import rules
from analytics.coverage import Coverage
from analytics.facts import Facts
from analytics.periods import next_turns, seen
from analytics.rules import Rule
from catalog.attic import AtticEntry
from catalog.elements import Element
from catalog.policy import PolicySettings, RemovalPolicy

__all__ = ["Facts", "Readiness", "Rule", "Verdict", "assess"]


class Verdict(StrEnum):
    """What the rules come to."""

    READY = "ready"
    NOT_READY = "not ready"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Readiness:
    """The verdict on one element.

    `earliest` is when it could be ready if nobody uses it and nothing is missed from now on; None where it is
    ready, or where something other than time is in the way, which `undated` says. `notes` are what a person
    must know besides.
    """

    element: Element
    deprecated_name: str
    migration_id: str
    deprecated_at: datetime
    verdict: Verdict
    rules: tuple[Rule, ...]
    earliest: datetime | None
    notes: tuple[str, ...] = ()
    undated: str | None = None

    @property
    def reasons(self) -> tuple[str, ...]:
        """The findings of the rules that are not met or cannot be known, those not met first."""
        in_the_way = [rule for rule in self.rules if rule.met is not True]
        return tuple(rule.finding for rule in sorted(in_the_way, key=lambda rule: rule.met is None))


def assess(entry: AtticEntry, facts: Facts, policy: PolicySettings, now: datetime) -> Readiness:
    """Apply the rules of the element's kind to what was seen."""
    own = policy.of(entry.element.kind)
    watches = facts.watches(own)
    timed = [
        rules.long_enough(entry, own, now),
        rules.unused(entry, facts, own, now),
        *(rules.covered(watch, one, own, facts.blind(watch)) for watch, one in watches.items()),
        *rules.counted(entry, facts, own, now),
        *rules.called(facts, own, now),
        *rules.enforcement(entry, facts, own, now),
        *rules.rowless(entry, facts, own),
        *rules.not_open(facts),
        *rules.turns_seen(entry, list(watches.values()), own, now),
        *rules.former_name_watched(entry, own, now),
    ]
    others = [
        *rules.every_server(facts, policy),
        *rules.no_old_session(entry, facts),
        *rules.not_held(entry, facts),
        rules.in_place(entry, facts),
        rules.independent(facts),
        rules.name_free(entry, facts),
        rules.backed_up(entry, own, now),
        *rules.approved(entry, own),
    ]
    applied = (*timed, *others)
    verdict = _verdict(applied)
    earliest, undated = None, []
    if verdict is not Verdict.READY:
        when = _earliest(entry, facts, own, watches, now)
        lacking = [rule.name for rule in others if not rule.met]
        undated = [when] if isinstance(when, str) else []
        undated += [f"waiting does not help with: {', '.join(lacking)}"] if lacking else []
        earliest = when if not undated and not isinstance(when, str) else None
    return Readiness(
        entry.element,
        entry.deprecated_name,
        entry.migration_id,
        entry.deprecated_at,
        verdict,
        applied,
        earliest,
        rules.notes(entry, facts, own, now),
        "; ".join(undated) or None,
    )


def _verdict(applied: Sequence[Rule]) -> Verdict:
    if any(rule.met is False for rule in applied):
        return Verdict.NOT_READY
    return Verdict.UNKNOWN if any(rule.met is None for rule in applied) else Verdict.READY


def _earliest(
    entry: AtticEntry,
    facts: Facts,
    policy: RemovalPolicy,
    watches: Mapping[str, Coverage],
    now: datetime,
) -> datetime | str:
    """When time alone would do, or why it never will."""
    quiet = policy.quiet
    moments = [now, entry.deprecated_at + policy.cooling_off]
    if facts.last_use_at is not None:
        moments.append(facts.last_use_at + quiet)
    if rules.counts(entry, facts):
        if facts.counted is None:
            return "no server counts it"
        if (left := facts.reconciled(now - quiet)).last_at is not None:
            moments.append(left.last_at + quiet)
    if facts.called is not None and (called := facts.called.since(now - quiet)).last_at is not None:
        moments.append(called.last_at + quiet)
    if facts.checks and policy.enforcement_is_use:
        if facts.enforced is None:
            return "no server counts the rows that it checks"
        if (checked := facts.checked(now - quiet)).last_at is not None:
            moments.append(checked.last_at + quiet)
    for watch, one in watches.items():
        when = _covered_at(entry, one, policy, now)
        if when is None:
            return rules.never_covered(watch, one, facts.blind(watch))
        moments.append(when)
    stretches = rules.all_watched(list(watches.values()))
    for months, wanted in ((1, policy.month_ends), (3, policy.quarter_ends)):
        have = seen(stretches, entry.deprecated_at, now, months, policy.coverage_wanted)
        if have < wanted:
            moments.append(next_turns(now, months, wanted - have))
    return max(moments)


def _covered_at(
    entry: AtticEntry, coverage: Coverage, policy: RemovalPolicy, now: datetime
) -> datetime | None:
    """When what was missed is little enough of the time since the rename, if nothing more is missed."""
    if coverage.covered_seconds <= 0:
        return None
    if coverage.fraction >= policy.coverage_wanted:
        return now
    allowed = 1 - policy.coverage_wanted
    missed = (now - entry.deprecated_at).total_seconds() - coverage.covered_seconds
    if allowed <= 0:
        return None
    try:
        return entry.deprecated_at + timedelta(seconds=missed / allowed)
    except OverflowError:
        return None
