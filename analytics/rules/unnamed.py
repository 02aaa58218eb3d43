"""Uses that no statement names: a constraint is enforced, a row holds a value; pure."""

from collections.abc import Iterator
from datetime import datetime

from analytics.facts import Facts
from analytics.rules.rule import NAMED_AT_MOST, Rule
from analytics.sentences import count, duration, listed
from catalog.attic import AtticEntry
from catalog.elements import Kind
from catalog.holders import Holder
from catalog.policy import RemovalPolicy

_ROWS = "no row holds it"


def enforcement(entry: AtticEntry, facts: Facts, policy: RemovalPolicy, now: datetime) -> Iterator[Rule]:
    """No row was written of late that a constraint or a unique index had to check."""
    if not facts.checks or not policy.enforcement_is_use:
        return
    name, source = "no row checked by it", "pg_stat counters"
    tables, otherwise = " or ".join(facts.checks), f"if that is no use: {no_use(entry.element.kind)}"
    if facts.enforced is None:
        finding = f"no server counted rows written to {tables}, which it checks; {otherwise}"
        yield Rule(name, None, finding, source)
        return
    found = facts.checked(now - policy.quiet)
    if found.writes or found.rewrites:
        rows = count(found.writes, "row") if found.writes else "rows"
        finding = f"it checked {rows} written to {tables} since the rename; {otherwise}"
        yield Rule(name, False, finding, source)
    elif found.uses:
        needs = "REFRESH … CONCURRENTLY"
        if entry.element.kind is Kind.CONSTRAINT:
            needs = "a query that groups by the primary key"
        finding = f"{tables} was read since the rename, and {needs} needs it unnamed; {otherwise}"
        yield Rule(name, None, finding, source)
    else:
        when = f"in {duration(policy.quiet)}" if facts.enforced.steps else "since the rename"
        yield Rule(name, True, f"no row written to {tables} {when}, so it checked none", source)


def no_use(kind: Kind) -> str:
    """How a person says that to be enforced is no use."""
    return f"[policy.{kind}] enforcement_is_use = false"


def not_held(entry: AtticEntry, facts: Facts) -> Iterator[Rule]:
    """No row holds the value: its label can be anybody's to read."""
    if entry.element.kind is not Kind.ENUM_VALUE:
        return
    if facts.held is None:
        yield Rule(_ROWS, None, "nobody looked whether rows hold it", "rows")
        return
    holding = [holder for holder in facts.held if holder.holds]
    if holding:
        told = "" if any(holder.is_read for holder in holding) else " (as of the last ANALYZE)"
        finding = f"rows of {_listed(holding)} hold it{told}"
        yield Rule(_ROWS, False, finding, "rows" if not told else "pg_stats")
        return
    unknown = [holder for holder in facts.held if holder.holds is None]
    if problems := [f"{holder}: {holder.problem}" for holder in unknown if holder.problem]:
        yield Rule(_ROWS, None, f"rows could not be read: {listed(problems, NAMED_AT_MOST)}", "rows")
    elif unknown:
        finding = f"rows of {_listed(unknown)} may hold it; what helps: `pgattic readiness --rows`"
        yield Rule(_ROWS, None, finding, "pg_stats")
    elif facts.held:
        yield Rule(_ROWS, True, f"no row of {_listed(facts.held)} holds it", "rows")
    else:
        yield Rule(_ROWS, True, "no column has its type", "catalog")


def _listed(holders: tuple[Holder, ...] | list[Holder]) -> str:
    return listed([str(holder) for holder in holders], NAMED_AT_MOST)
