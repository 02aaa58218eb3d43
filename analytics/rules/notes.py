"""What a person must know besides the rules: what nobody could have seen; pure."""

from collections.abc import Iterator
from datetime import datetime

from analytics.facts import Facts
from analytics.rules.rule import NAMED_AT_MOST
from analytics.rules.unnamed import no_use
from analytics.sentences import count, listed
from catalog.attic import AtticEntry
from catalog.elements import Kind
from catalog.policy import RemovalPolicy

_CAUGHT = (
    "nobody sees an error that the client's own code catches, IF EXISTS and to_regclass; a removal changes"
    " nothing for them"
)
# A statement log or pg_stat_statements would tell of these.
_BY_NEW_NAME = {
    Kind.TABLE: "LOCK TABLE by its deprecated name, with nothing read or written",
    Kind.MATVIEW: "a definition (COMMENT, GRANT) that says its deprecated name",
    Kind.INDEX: "a definition (ALTER, REINDEX, CLUSTER) that says its deprecated name",
    Kind.SEQUENCE: "a definition (ALTER, COMMENT) that says its deprecated name",
}


def notes(entry: AtticEntry, facts: Facts, policy: RemovalPolicy, now: datetime) -> tuple[str, ...]:
    """What a person must know besides the rules, one line each."""
    return (
        *([entry.to_arm] if entry.to_arm else ()),
        *_decided(entry, facts, policy, now),
        *_blind(entry, facts, policy),
        *_audit(entry),
        *_opaque(facts),
    )


def _decided(entry: AtticEntry, facts: Facts, policy: RemovalPolicy, now: datetime) -> Iterator[str]:
    """What a person took on himself."""
    if not facts.checks or policy.enforcement_is_use:
        return
    found = facts.checked(now - policy.quiet)
    tables = " or ".join(facts.checks)
    if facts.enforced is None:
        told = f"nobody counted rows written to {tables}, which it checks"
    elif found.uses:
        told = f"it checked {count(found.writes, 'row')} written to {tables} since the rename"
    else:
        return
    yield f"{told}: a person decided that this is no use ({no_use(entry.element.kind)})"


def _blind(entry: AtticEntry, facts: Facts, policy: RemovalPolicy) -> Iterator[str]:
    """What no source that watched could have seen."""
    kind = entry.element.kind
    if kind in _BY_NEW_NAME and not facts.is_watched_by("log|statements", policy):
        yield f"nobody sees {_BY_NEW_NAME[kind]}"
    if kind is Kind.VIEW and not facts.is_watched_by("log|statements", policy):
        yield "auditing does not see LOCK and definitions of a view"
    if kind is Kind.CONSTRAINT:
        yield "nobody sees a client that knows an error by the constraint's name in it"
    if kind is Kind.ENUM:
        yield "nobody sees a client that looks the type up by its name in pg_type"
    if kind is Kind.ENUM_VALUE:
        yield "nobody sees a label that comes from data (a cast of text), nor a client that compares labels"
    yield _CAUGHT


def _audit(entry: AtticEntry) -> Iterator[str]:
    if entry.element.kind is Kind.TABLE and "grant" in entry.sensors:
        yield (
            "auditing does not see LOCK and ALTER of a table, nor rows that a subscription applies, which its"
            " counters see; nor TRUNCATE, which its trigger sees"
        )
    if entry.element.kind is Kind.MATVIEW and "grant" in entry.sensors:
        yield "auditing does not see REFRESH of a materialized view; its counters do"
    if entry.element.kind is Kind.COLUMN and "grant" in entry.sensors:
        yield (
            "auditing does not see DELETE and TRUNCATE of its table, nor its use in a whole row"
            " (SELECT t FROM t), so alone it proves nothing; it takes a view that merely contains the column"
            " for a use of it"
        )


def _opaque(facts: Facts) -> Iterator[str]:
    if facts.opaque:
        yield (
            f"{count(facts.opaque, 'statement')} (unreadable, or DO blocks) may have used anything:"
            " the statement log proves nothing"
        )
    if facts.dynamic:
        who = listed(facts.dynamic, NAMED_AT_MOST)
        yield f"functions run statements that they put together; a statement log does not tell these ({who})"
