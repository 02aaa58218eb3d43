"""The verdict: rules over what was seen of an element in the attic, each with its figure; pure.

Any rule that is not met gives "not ready"; else any that cannot be known gives "unknown"; only all of them
met give "ready". Nothing unknown is ever taken for unused.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from analytics.coverage import Coverage
from analytics.sentences import count, duration, listed, percent
from catalog.closure import Dependant
from catalog.elements import Element, Kind, quote_identifier
from catalog.settings import PolicySettings
from catalog.snapshot import AtticEntry


class Verdict(StrEnum):
    """What the rules come to."""

    READY = "ready"
    NOT_READY = "not ready"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Rule:
    """One condition; `met` is None where it cannot be known, `source` says where its figure comes from."""

    name: str
    met: bool | None
    finding: str
    source: str


@dataclass(frozen=True, slots=True)
class Readiness:
    """The verdict on one element.

    `earliest` is when it could be ready if nobody uses it and no log is missed from now on; None where it is
    ready, or where something other than time is in the way.
    """

    element: Element
    deprecated_name: str
    migration_id: str
    deprecated_at: datetime
    verdict: Verdict
    rules: tuple[Rule, ...]
    earliest: datetime | None

    @property
    def reasons(self) -> tuple[str, ...]:
        """The findings of the rules that are not met or cannot be known, those not met first."""
        in_the_way = [rule for rule in self.rules if rule.met is not True]
        return tuple(rule.finding for rule in sorted(in_the_way, key=lambda rule: rule.met is None))


@dataclass(frozen=True, slots=True)
class Facts:
    """What was seen of one element since its rename.

    `present` is where it is now (None: gone); `counted` are scans and rows written since the rename (None:
    the counting was interrupted, or never began); `reappeared` says what has its former name now.
    """

    present: Element | None
    uses: int
    last_use_at: datetime | None
    used_by: tuple[str, ...]
    coverage: Coverage
    counted: int | None
    dependants: tuple[Dependant, ...]
    reappeared: str | None


# What a person must know besides, where PostgreSQL counts no use of the element.
_UNCOUNTED = {
    Kind.COLUMN: "PostgreSQL counts no use of a column, and reading it by SELECT * is no error",
    Kind.CONSTRAINT: "PostgreSQL counts no use of a constraint, and it is enforced until it is removed",
    Kind.ENUM: "PostgreSQL counts no use of a type",
    Kind.ENUM_VALUE: "PostgreSQL counts no use of a value, and rows that hold it show its new label",
    Kind.VIEW: "PostgreSQL counts no use of a view",
    Kind.SEQUENCE: "PostgreSQL counts no use of a sequence, and the name in nextval('…') is a constant,"
    " which is not kept of a statement",
}
_NAMED_AT_MOST = 5


def assess(entry: AtticEntry, facts: Facts, policy: PolicySettings, now: datetime) -> Readiness:
    """Apply the rules to what was seen."""
    timed = (_long_enough(entry, policy, now), _unused(entry, facts, policy, now), _covered(facts, policy))
    counted = (_counted(entry, facts),) if _is_counted(entry) else ()
    others = (
        *counted,
        _in_place(entry, facts),
        _independent(facts),
        _name_free(entry, facts),
        _backed_up(entry),
    )
    rules = (*timed, *others)
    verdict = _verdict(rules)
    only_time_lacks = verdict is not Verdict.READY and all(rule.met for rule in others)
    return Readiness(
        entry.element,
        entry.deprecated_name,
        entry.migration_id,
        entry.deprecated_at,
        verdict,
        rules,
        _earliest(entry, facts, policy, now) if only_time_lacks else None,
    )


def _verdict(rules: tuple[Rule, ...]) -> Verdict:
    if any(rule.met is False for rule in rules):
        return Verdict.NOT_READY
    return Verdict.UNKNOWN if any(rule.met is None for rule in rules) else Verdict.READY


def _long_enough(entry: AtticEntry, policy: PolicySettings, now: datetime) -> Rule:
    wanted = timedelta(days=policy.cooling_off_days)
    age = now - entry.deprecated_at
    met = age >= wanted
    finding = f"in the attic for {duration(age)}, at least {duration(wanted)} wanted"
    return Rule("time in the attic", met, finding, "registry")


def _unused(entry: AtticEntry, facts: Facts, policy: PolicySettings, now: datetime) -> Rule:
    name, source = "no use seen", "server log"
    if facts.last_use_at is None:
        since = f"since the rename at {entry.deprecated_at:%Y-%m-%d %H:%M}"
        if facts.uses:
            return Rule(name, False, f"{count(facts.uses, 'use')} seen {since}", source)
        if facts.coverage.covered_seconds <= 0:
            return Rule(name, None, f"no log was read {since}: a use could not have been seen", source)
        return Rule(name, True, f"no use seen {since}", source)
    quiet, wanted = now - facts.last_use_at, timedelta(days=policy.quiet_days)
    who = f" by {listed(facts.used_by, _NAMED_AT_MOST)}" if facts.used_by else ""
    # A use that is not over yet, or a clock that runs ahead, is never a quiet time.
    met = quiet >= wanted and quiet > timedelta()
    finding = (
        f"{count(facts.uses, 'use')} seen since the rename{who}, the last one {duration(quiet)} ago; "
        f"{duration(wanted)} without one wanted"
    )
    return Rule(name, met, finding, source)


def _covered(facts: Facts, policy: PolicySettings) -> Rule:
    seen, wanted = facts.coverage, percent(policy.coverage_wanted)
    name, source = "log coverage", "ingested logs"
    if seen.covered_seconds <= 0:
        return Rule(name, None, f"nothing was read of the log since the rename, {wanted} wanted", source)
    longest = max(seen.gaps, key=lambda gap: gap.seconds, default=None)
    blind = (
        f"; longest gap {duration(longest.end - longest.start)} from {longest.start:%Y-%m-%d %H:%M}"
        if longest and longest.seconds >= 1
        else ""
    )
    finding = f"{percent(seen.fraction)} of the log since the rename was read, {wanted} wanted{blind}"
    return Rule(name, seen.fraction >= policy.coverage_wanted, finding, source)


def _is_counted(entry: AtticEntry) -> bool:
    return entry.baseline is not None or entry.element.kind in (Kind.TABLE, Kind.INDEX)


def _counted(entry: AtticEntry, facts: Facts) -> Rule:
    name, source = "counters unchanged", "pg_stat counters"
    if entry.baseline is None:
        return Rule(name, None, "the counters at the rename were not kept", source)
    if facts.counted is None:
        return Rule(
            name,
            None,
            "the counters were reset, or the server restarted, since the rename: what they said is lost",
            source,
        )
    if facts.counted == 0:
        return Rule(name, True, "counters unchanged since the rename", source)
    unit = "scan" if entry.element.kind is Kind.INDEX else "scan or written row"
    finding = (
        f"{count(facts.counted, unit)} counted since the rename; the log does not say whose"
        " (a full pg_dump or VACUUM FULL counts too)"
    )
    return Rule(name, False, finding, source)


def _in_place(entry: AtticEntry, facts: Facts) -> Rule:
    name, source = "in its place", "catalog"
    if facts.present is None:
        gone = quote_identifier(entry.deprecated_name)
        return Rule(name, False, f"{gone} is gone from the catalog", source)
    if facts.present.name != entry.deprecated_name:
        return Rule(name, False, f"somebody renamed it to {facts.present}", source)
    return Rule(name, True, f"still there as {facts.present}", source)


def _independent(facts: Facts) -> Rule:
    name, source = "nothing depends on it", "catalog"
    if not facts.dependants:
        return Rule(name, True, "no view, function, foreign key or other element refers to it", source)
    who = listed([str(dependant) for dependant in facts.dependants], _NAMED_AT_MOST)
    return Rule(name, False, f"still referred to: {who}", source)


def _name_free(entry: AtticEntry, facts: Facts) -> Rule:
    name, source = "former name not taken again", "catalog"
    if facts.reappeared:
        finding = f"{facts.reappeared}: uses go there and do not fail, so they cannot be seen"
        return Rule(name, False, finding, source)
    uncounted = "" if _is_counted(entry) else f". {_UNCOUNTED[entry.element.kind]}"
    return Rule(name, True, f"nothing is called {entry.element} now{uncounted}", source)


def _backed_up(entry: AtticEntry) -> Rule:
    name, source = "backup proved", "registry"
    if entry.backup_proved_at is None:
        return Rule(name, False, "no backup of it was proved by restoring it", source)
    return Rule(name, True, f"backup proved by a restore at {entry.backup_proved_at:%Y-%m-%d %H:%M}", source)


def _earliest(entry: AtticEntry, facts: Facts, policy: PolicySettings, now: datetime) -> datetime | None:
    moments = [now, entry.deprecated_at + timedelta(days=policy.cooling_off_days)]
    if facts.last_use_at is not None:
        moments.append(facts.last_use_at + timedelta(days=policy.quiet_days))
    missed = (now - entry.deprecated_at).total_seconds() - facts.coverage.covered_seconds
    if facts.coverage.fraction < policy.coverage_wanted:
        allowed = 1 - policy.coverage_wanted
        if allowed <= 0:
            return None
        try:
            moments.append(entry.deprecated_at + timedelta(seconds=missed / allowed))
        except OverflowError:
            return None
    return max(moments)
