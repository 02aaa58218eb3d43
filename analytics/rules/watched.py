"""Whether a use would have been seen: for how long each source watched each server; pure."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta

from analytics.coverage import Coverage, common
from analytics.facts import Facts
from analytics.periods import seen, turns
from analytics.rules.rule import NAMED_AT_MOST, Rule
from analytics.sentences import count, duration, listed, percent
from analytics.stretches import Stretch
from catalog.attic import AtticEntry
from catalog.elements import Kind
from catalog.policy import OR, PolicySettings, RemovalPolicy
from ingest.schemas import Source

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
    Source.STATEMENTS: (
        "pg_stat_statements",
        "pg_stat_statements",
        "of the time since the rename every call of a statement was counted",
    ),
}


def covered(watch: str, seen_of: Coverage, policy: RemovalPolicy, blind: Collection[Source] = ()) -> Rule:
    """A source that could have seen a use watched for long enough, on every server.

    Those that are `blind` can not tell that this element was not used, however long they watch.
    """
    sources = [Source(part) for part in watch.split(OR)]
    word, source, what = _WATCHED[sources[0]]
    if len(sources) > 1:
        word = " or ".join(_WATCHED[one][0] for one in sources)
        source, what = word, f"of the time since the rename was watched by {word}"
    name, wanted = f"{word} coverage", percent(policy.coverage_wanted)
    if seen_of.covered_seconds <= 0:
        nodes = [node for node, fraction in seen_of.by_node if fraction == 0]
        where = f" (nothing of {listed(nodes, NAMED_AT_MOST)})" if len(seen_of.by_node) > 1 and nodes else ""
        told = "nothing was read of the log since the rename" if sources == [Source.ERROR] else f"none {what}"
        able = [one for one in sources if one not in blind]
        if not able and Source.AUDIT in blind:
            where += "; an audit alone does not see every use of it"
        todo = _todo(able)
        if sources == [Source.ERROR] and where:
            todo = "; what helps: to ingest its log (nodes.logs)"
        return Rule(name, None, f"{told}, {wanted} wanted{where}{todo}", source)
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


def never_covered(watch: str, seen_of: Coverage, blind: Collection[Source] = ()) -> str:
    """Why what is wanted of a source will not be reached by waiting."""
    sources = [source for part in watch.split(OR) if (source := Source(part)) not in blind]
    if not sources:
        return f"{_either([Source(part) for part in watch.split(OR)])} alone can not tell"
    if seen_of.covered_seconds > 0:
        return (
            f"the gaps of {_either(sources)} coverage will always be more than policy.coverage_wanted allows"
        )
    nodes = [node for node, fraction in seen_of.by_node if fraction == 0]
    named = listed(nodes, NAMED_AT_MOST) if nodes else "any server"
    if sources == [Source.ERROR]:
        return f"the log of {named} was never read since the rename"
    return f"nothing of {named} was watched by {_either(sources)} since the rename"


def _todo(sources: Sequence[Source]) -> str:
    if sources in ([], [Source.ERROR]):
        return ""
    how = {
        Source.LOG: "full statement logs",
        Source.SENSOR: "`pgattic arm`",
        Source.AUDIT: "`pgattic arm` with pgaudit",
        Source.COUNTER: "`pgattic collect` every ten minutes",
        Source.STATEMENTS: "pg_stat_statements with `pgattic collect` every ten minutes",
    }
    return f"; what helps: {', '.join(how[one] for one in sources)}"


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


def rowless(entry: AtticEntry, facts: Facts, policy: RemovalPolicy) -> Iterator[Rule]:
    """Where counters speak for a table, statements that touch none of its rows would have shown too."""
    kind = entry.element.kind
    if kind not in (Kind.TABLE, Kind.MATVIEW, Kind.COLUMN):
        return
    if not any(Source.COUNTER in watch.split(OR) for watch in policy.sources):
        return
    told = [Source.LOG, Source.STATEMENTS]
    seen = [facts.is_watched_by(each, policy) for each in told]
    if entry.shim_oid is None and kind is not Kind.COLUMN:
        # What else an audit does not see touches rows, and counts.
        told.append(Source.AUDIT)
        seen.append(facts.is_audited(policy))
    name, source = "statements that touch no row", "pg_stat counters"
    if any(seen):
        yield Rule(name, True, f"would have been seen by {_either(told)}", "coverage")
        return
    began = facts.oldest_session_at
    if entry.shim_oid is not None:
        why = "its former name goes on working for statements that touch no row, and for LOCK TABLE"
    elif not facts.is_planned_visibly:
        why = (
            "its table has no B-tree index, so statements that touch no row (LIMIT 0, EXPLAIN) count nowhere"
        )
    elif began is not None and began < _used_at(entry, facts):
        why = (
            f"the oldest session of a client began at {began:%Y-%m-%d %H:%M}, and may have planned statements"
            " about its table before: to plan them again, without a row touched, counts nowhere"
        )
    else:
        yield Rule(
            name,
            True,
            "a statement that touches no row would have counted: planning it reads a block",
            source,
        )
        return
    yield Rule(name, None, f"{why}{_todo([Source.STATEMENTS])}", source)


def _used_at(entry: AtticEntry, facts: Facts) -> datetime:
    """When its table was last used, as far as counters tell, or renamed."""
    last_at = facts.reconciled(facts.since).last_at
    return max(last_at, entry.deprecated_at) if last_at else entry.deprecated_at


def _either(sources: Sequence[Source]) -> str:
    return " or ".join(_WATCHED[source][0] for source in sources)


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
