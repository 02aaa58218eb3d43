"""Whether it was used: by lines of a log, by counters; pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from analytics.facts import Facts
from analytics.reconciliation import Reconciled
from analytics.rules.rule import NAMED_AT_MOST, Rule
from analytics.sentences import count, duration, listed
from catalog.attic import AtticEntry
from catalog.elements import Kind
from catalog.policy import RemovalPolicy
from ingest.schemas import Source

_COUNTED_KINDS = (Kind.TABLE, Kind.MATVIEW, Kind.INDEX, Kind.SEQUENCE)
_UNITS = {Kind.INDEX: "scan", Kind.CONSTRAINT: "scan", Kind.SEQUENCE: "read"}


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
    quiet, wanted = now - facts.last_use_at, policy.quiet
    who = f" by {listed(facts.used_by, NAMED_AT_MOST)}" if facts.used_by else ""
    # A use that is not over yet, or a clock that runs ahead, is never a quiet time.
    met = quiet >= wanted and quiet > timedelta()
    finding = (
        f"{count(facts.uses, 'use')} seen since the rename{who}, the last one {duration(quiet)} ago; "
        f"{duration(wanted)} without one wanted{besides}"
    )
    return Rule(name, met, finding, source)


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
    found = facts.reconciled(now - policy.quiet)
    explained = ", ".join(f"{scans:,} by {who}" for who, scans in found.explained)
    besides = f" (not counted: {explained})" if explained else ""
    if not found.uses or found.last_at is None:
        quiet = "since the rename" if not facts.counted.steps else f"in {duration(policy.quiet)}"
        yield Rule(name, True, f"counters unchanged {quiet}{besides}", source)
        return
    nodes = f" on {listed(found.nodes, NAMED_AT_MOST)}" if len(facts.nodes) > 1 else ""
    whose = (
        f"{count(found.unexplained, 'unexplained use')}: no line says whose (a full pg_dump or VACUUM FULL"
        " counts too)"
        if found.unexplained
        else "lines of the log say whose"
    )
    what = " and ".join(_uses_counted(entry.element.kind, found))
    finding = f"{what} counted since the rename{nodes}, {whose}{besides}"
    yield Rule(name, False, finding, source)


def called(facts: Facts, policy: RemovalPolicy, now: datetime) -> Iterator[Rule]:
    """No server has counted a call of a statement that uses it of late."""
    name, source = "no call counted", "pg_stat_statements"
    if facts.called is None:
        return
    found = facts.called.since(now - policy.quiet)
    ignored = ", ".join(f"{calls:,} by {who}" for who, calls in found.ignored)
    besides = f" (not counted: {ignored})" if ignored else ""
    if found.last_at is None:
        quiet = "since the rename" if not facts.called.steps else f"in {duration(policy.quiet)}"
        yield Rule(name, True, f"no call of a statement that uses it was counted {quiet}{besides}", source)
        return
    who = f" by {listed(found.roles, NAMED_AT_MOST)}" if found.roles else ""
    finding = (
        f"{count(found.calls, 'call')} of {count(found.statements, 'statement')} that use it were counted"
        f" since the rename{who}, the last one before {found.last_at:%Y-%m-%d %H:%M}{besides}"
    )
    yield Rule(name, False, finding, source)


def _uses_counted(kind: Kind, found: Reconciled) -> Iterator[str]:
    """What was counted, in words."""
    if found.reads or found.writes:
        yield count(found.reads + found.writes, _UNITS.get(kind, "scan or written row"))
    if found.looks:
        how = "blocks fetched without a scan: by ctid, or planned only"
        yield f"{count(found.looks, 'look')} into it ({how})"
    if found.rewrites:
        yield f"{count(found.rewrites, 'new file')} of its rows (REFRESH, TRUNCATE or another rewrite)"
