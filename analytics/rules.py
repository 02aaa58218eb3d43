"""The rules of a verdict: each says whether it is met, with its figure and where that comes from; pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from analytics.coverage import Coverage, common
from analytics.facts import Facts
from analytics.periods import seen, turns
from analytics.sentences import count, duration, listed, percent
from analytics.stretches import Stretch
from catalog.elements import Kind, quote_identifier
from catalog.policy import OR, PolicySettings, RemovalPolicy
from catalog.snapshot import AtticEntry
from ingest.schemas import Source


@dataclass(frozen=True, slots=True)
class Rule:
    """One condition; `met` is None where it cannot be known, `source` says where its figure comes from."""

    name: str
    met: bool | None
    finding: str
    source: str


_COUNTED_KINDS = (Kind.TABLE, Kind.MATVIEW, Kind.INDEX)
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
_WATCHED = {
    Source.ERROR: ("log", "ingested logs", "of the log since the rename was read"),
    Source.LOG: ("statement log", "ingested logs", "of the time since the rename every statement was logged"),
    Source.SENSOR: ("sensor", "ingested logs", "of the time since the rename its sensors were read"),
    Source.AUDIT: ("audit", "ingested logs", "of the time since the rename its audit lines were read"),
    Source.COUNTER: (
        "counter",
        "pg_stat counters",
        "of the time since the rename was counted without a break",
    ),
}
_NAMED_AT_MOST = 5


def long_enough(entry: AtticEntry, policy: RemovalPolicy, now: datetime) -> Rule:
    """It was in the attic for long enough."""
    wanted = timedelta(days=policy.cooling_off_days)
    age = now - entry.deprecated_at
    finding = f"in the attic for {duration(age)}, at least {duration(wanted)} wanted"
    return Rule("time in the attic", age >= wanted, finding, "registry")


def unused(entry: AtticEntry, facts: Facts, policy: RemovalPolicy, now: datetime) -> Rule:
    """No line of a log shows a use, or the last one is long ago."""
    name, source = "no use seen", "server log"
    ignored = ", ".join(f"{uses:,} by {who}" for who, uses in facts.ignored)
    besides = f" (not counted: {ignored}; policy.known_readers)" if ignored else ""
    if facts.last_use_at is None:
        since = f"since the rename at {entry.deprecated_at:%Y-%m-%d %H:%M}"
        if facts.uses:
            return Rule(name, False, f"{count(facts.uses, 'use')} seen {since}{besides}", source)
        if not any(stretches for stretches in facts.watched.get(Source.ERROR, {}).values()):
            return Rule(name, None, f"no log was read {since}: a use could not have been seen", source)
        return Rule(name, True, f"no use seen {since}{besides}", source)
    quiet, wanted = now - facts.last_use_at, timedelta(days=policy.quiet_days)
    who = f" by {listed(facts.used_by, _NAMED_AT_MOST)}" if facts.used_by else ""
    # A use that is not over yet, or a clock that runs ahead, is never a quiet time.
    met = quiet >= wanted and quiet > timedelta()
    finding = (
        f"{count(facts.uses, 'use')} seen since the rename{who}, the last one {duration(quiet)} ago; "
        f"{duration(wanted)} without one wanted{besides}"
    )
    return Rule(name, met, finding, source)


def covered(watch: str, seen_of: Coverage, policy: RemovalPolicy) -> Rule:
    """A source that could have seen a use watched for long enough, on every server."""
    sources = [Source(part) for part in watch.split(OR)]
    word, source, what = _WATCHED[sources[0]]
    if len(sources) > 1:
        word = " or ".join(_WATCHED[one][0] for one in sources)
        source, what = word, f"of the time since the rename was watched by {word}"
    name, wanted = f"{word} coverage", percent(policy.coverage_wanted)
    if seen_of.covered_seconds <= 0:
        nodes = [node for node, fraction in seen_of.by_node if fraction == 0]
        where = f" (nothing of {listed(nodes, _NAMED_AT_MOST)})" if len(seen_of.by_node) > 1 and nodes else ""
        told = "nothing was read of the log since the rename" if sources == [Source.ERROR] else f"none {what}"
        return Rule(name, None, f"{told}, {wanted} wanted{where}{_todo(sources)}", source)
    longest = max(seen_of.gaps, key=lambda gap: gap.seconds, default=None)
    gap = (
        f"; longest gap {duration(longest.end - longest.start)} from {longest.start:%Y-%m-%d %H:%M}"
        if longest and longest.seconds >= 1
        else ""
    )
    finding = f"{percent(seen_of.fraction)} {what}, {wanted} wanted{gap}"
    if seen_of.fraction >= policy.coverage_wanted:
        return Rule(name, True, finding, source)
    # A log can still be read; what was not counted is lost, and nobody will ever know.
    return Rule(name, False if sources == [Source.ERROR] else None, finding, source)


def _todo(sources: Sequence[Source]) -> str:
    if sources == [Source.ERROR]:
        return ""
    how = {
        Source.LOG: "full statement logs",
        Source.SENSOR: "`pgattic arm`",
        Source.AUDIT: "`pgattic arm` with pgaudit",
        Source.COUNTER: "`pgattic collect` every hour",
    }
    return f"; what helps: {', '.join(how[one] for one in sources)}"


def counts(entry: AtticEntry, facts: Facts) -> bool:
    """Whether the element has counters of its own."""
    kind = entry.element.kind
    return kind in _COUNTED_KINDS or (kind is Kind.CONSTRAINT and facts.counted is not None)


def counted(entry: AtticEntry, facts: Facts, policy: RemovalPolicy, now: datetime) -> Iterator[Rule]:
    """No server counted a use of late that is not explained."""
    name, source = "counters unchanged", "pg_stat counters"
    if not counts(entry, facts):
        return
    if facts.counted is None:
        yield Rule(name, None, "no server counted it since the rename", source)
        return
    found = facts.reconciled(now - timedelta(days=policy.quiet_days))
    explained = ", ".join(f"{scans:,} by {who}" for who, scans in found.explained)
    besides = f" (not counted: {explained})" if explained else ""
    if not found.uses or found.last_at is None:
        quiet = "since the rename" if not facts.counted.steps else f"in {duration(_quiet(policy))}"
        yield Rule(name, True, f"counters unchanged {quiet}{besides}", source)
        return
    unit = "scan" if entry.element.kind in (Kind.INDEX, Kind.CONSTRAINT) else "scan or written row"
    nodes = f" on {listed(found.nodes, _NAMED_AT_MOST)}" if len(facts.nodes) > 1 else ""
    whose = (
        f"{count(found.unexplained, 'unexplained use')}: no line says whose (a full pg_dump or VACUUM FULL"
        " counts too)"
        if found.unexplained
        else "lines of the log say whose"
    )
    finding = f"{count(found.uses, unit)} counted since the rename{nodes}, {whose}{besides}"
    yield Rule(name, False, finding, source)


def _quiet(policy: RemovalPolicy) -> timedelta:
    return timedelta(days=policy.quiet_days)


def all_watched(watches: Sequence[Coverage]) -> list[Stretch]:
    """When every wanted source watched every server."""
    return common(one.stretches for one in watches)


def turns_seen(
    entry: AtticEntry, watches: Sequence[Coverage], policy: RemovalPolicy, now: datetime
) -> Iterator[Rule]:
    """It was watched over enough ends of months and quarters, when jobs run that run at no other time."""
    stretches = all_watched(watches)
    for name, months, wanted in (
        ("month-ends seen", 1, policy.month_ends),
        ("quarter-ends seen", 3, policy.quarter_ends),
    ):
        if wanted:
            have = seen(stretches, entry.deprecated_at, now, months, policy.coverage_wanted)
            unit = "month-end" if months == 1 else "quarter-end"
            finding = f"{count(have, unit)} watched since the rename, at least {wanted} wanted"
            # There were enough, but nobody watched: that will never be known.
            passed = len(list(turns(entry.deprecated_at, now, months)))
            yield Rule(name, None if have < wanted <= passed else have >= wanted, finding, "coverage")


def every_server(facts: Facts, policy: PolicySettings) -> Iterator[Rule]:
    """Every standby is watched, or known to be read by nobody."""
    replicas, standbys = max(0, len(facts.nodes) - 1), facts.standbys - policy.unread_standbys
    if standbys > replicas:
        finding = (
            f"{count(facts.standbys, 'standby server')} of it, {replicas} of them watched: reads there are"
            " counted and logged there alone ([[nodes]], policy.unread_standbys)"
        )
        yield Rule("every server watched", None, finding, "pg_stat_replication")


def no_old_session(entry: AtticEntry, facts: Facts) -> Iterator[Rule]:
    """No session is older than the rename, where its compiled plans go on using a type without a trace."""
    if entry.element.kind not in (Kind.ENUM, Kind.ENUM_VALUE) or facts.oldest_session_at is None:
        return
    began = facts.oldest_session_at
    finding = f"the oldest session of a client began at {began:%Y-%m-%d %H:%M}"
    if began < entry.deprecated_at:
        finding += ", before the rename: functions that it has compiled use the type without its name"
    yield Rule("no session from before the rename", began >= entry.deprecated_at, finding, "pg_stat_activity")


def former_name_watched(entry: AtticEntry, policy: RemovalPolicy, now: datetime) -> Iterator[Rule]:
    """Where a former name goes on working, something tells who uses it: counters, or a view's canary."""
    if entry.element.kind is not Kind.VIEW or entry.shim_oid is None:
        return
    name, source = "former name watched", "registry"
    if "canary" not in entry.sensors or entry.armed_at is None:
        finding = (
            "its former name goes on working, and no canary tells who uses it; what helps: `pgattic arm`"
        )
        yield Rule(name, None, finding, source)
        return
    age, armed = now - entry.deprecated_at, now - max(entry.armed_at, entry.deprecated_at)
    share = armed / age if age > timedelta() else 0.0
    finding = f"its former name goes on working; a canary watched it {percent(share)} of the time"
    yield Rule(name, True if share >= policy.coverage_wanted else None, finding, source)


def in_place(entry: AtticEntry, facts: Facts) -> Rule:
    """It is still where it was put."""
    name, source = "in its place", "catalog"
    if facts.present is None:
        gone = quote_identifier(entry.deprecated_name)
        return Rule(name, False, f"{gone} is gone from the catalog", source)
    if facts.present.name != entry.deprecated_name:
        return Rule(name, False, f"somebody renamed it to {facts.present}", source)
    return Rule(name, True, f"still there as {facts.present}", source)


def independent(facts: Facts) -> Rule:
    """Nothing live refers to it."""
    name, source = "nothing depends on it", "catalog"
    if not facts.dependants:
        return Rule(name, True, "no view, function, foreign key or other element refers to it", source)
    who = listed([str(dependant) for dependant in facts.dependants], _NAMED_AT_MOST)
    return Rule(name, False, f"still referred to: {who}", source)


def name_free(entry: AtticEntry, facts: Facts) -> Rule:
    """Nothing else has its former name."""
    name, source = "former name not taken again", "catalog"
    if facts.reappeared:
        finding = f"{facts.reappeared}: uses go there and do not fail, so they cannot be seen"
        return Rule(name, False, finding, source)
    uncounted = _UNCOUNTED.get(entry.element.kind) if not counts(entry, facts) else None
    told = f". {uncounted}" if uncounted else ""
    return Rule(name, True, f"nothing is called {entry.element} now{told}", source)


def backed_up(entry: AtticEntry, policy: RemovalPolicy, now: datetime) -> Rule:
    """A backup was proved by restoring it, not too long ago."""
    name, source = "backup proved", "registry"
    proved_at, oldest = entry.backup_proved_at, timedelta(days=policy.backup_max_age_days)
    if proved_at is None:
        return Rule(name, False, "no backup of it was proved by restoring it", source)
    finding = f"backup proved by a restore at {proved_at:%Y-%m-%d %H:%M}"
    if oldest and now - proved_at > oldest:
        finding += f", {duration(now - proved_at)} ago; not longer than {duration(oldest)} wanted"
        return Rule(name, False, finding, source)
    return Rule(name, True, finding, source)


def approved(entry: AtticEntry, policy: RemovalPolicy) -> Iterator[Rule]:
    """Others than the one who applied the plan agreed with it."""
    if policy.removal_approvals:
        who = entry.approved_by
        by = f" by {listed(who, _NAMED_AT_MOST)}" if who else ""
        finding = f"{count(len(who), 'approval')} of its plan{by}, {policy.removal_approvals} wanted"
        yield Rule("approved", len(who) >= policy.removal_approvals, finding, "registry")


def notes(entry: AtticEntry, facts: Facts) -> tuple[str, ...]:
    """What a person must know besides the rules."""
    found = []
    if entry.element.kind is Kind.TABLE and "grant" in entry.sensors:
        found.append("auditing does not see TRUNCATE, LOCK or ALTER of a table; its counters see TRUNCATE")
    if entry.element.kind is Kind.COLUMN and "grant" in entry.sensors:
        found.append(
            "auditing does not see DELETE and TRUNCATE of its table, and takes a view that merely contains"
            " the column for a use of it"
        )
    if facts.opaque:
        found.append(
            f"{count(facts.opaque, 'statement')} (unreadable, or DO blocks) may have used anything:"
            " the statement log proves nothing"
        )
    return tuple(found)
