"""Elements that look unused, each with what was observed; what cannot be judged is no candidate.

Confidence is `ceiling * (0.5 + 0.5 * window)`. `window` is the time observed against a month, so that a job
that runs once a month has had its turn. The ceiling says how good the kind of evidence is: 0.8 where counters
saw no use, plus 0.15 for the share of the time in which every statement was logged. What repeats another
thing word for word has 0.95 whatever the time observed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from analytics.counters import Counters
from analytics.coverage import coverage
from analytics.grounds import Grounds
from analytics.observed import Candidate, Observed
from analytics.repeated import repeated_constraints
from analytics.sentences import count, duration, percent
from analytics.unused import unused_columns, unused_enums, unused_indexes, unused_tables
from analytics.usage import hourly_detail
from catalog.settings import PolicySettings
from ingest.schemas import Source

__all__ = ["Candidate", "Observed", "Survey", "judge", "survey"]


@dataclass(frozen=True, slots=True)
class Survey:
    """What a scan found, and what it could not judge and why."""

    candidates: tuple[Candidate, ...]
    unjudged: tuple[str, ...]


def survey(grounds: Grounds) -> Survey:
    """The elements that look unused, best first, and what could not be judged."""
    snapshot, counters, policy = grounds.snapshot, grounds.counters, grounds.policy
    since = counters.counting_since
    at = max(grounds.now, counters.taken_at)
    oids = {table.oid for table in snapshot.relations} | {index.oid for index in snapshot.indexes}
    # A month is where more time makes no difference to the confidence.
    long_ago = at - timedelta(days=max(31.0, policy.observed_days + 1))
    of_nodes = Counters(grounds, oids, long_ago)
    strangers = _unwatched(of_nodes, policy)
    quiet = {oid: of_nodes.quiet(oid, at) for oid in oids} if not strangers else {}
    return judge(
        Observed(
            snapshot,
            counters,
            policy,
            grounds.now,
            since,
            hourly_detail(grounds.evidence, since),
            # What is read on a server that nobody knows of stands in a log that nobody reads.
            coverage(grounds.evidence, Source.LOG, since, grounds.now, (*of_nodes.nodes, *strangers), policy),
            grounds.evidence.query("opaque").to_pylist()[0]["statements"],
            {oid: one for oid, one in quiet.items() if one is not None},
            (*of_nodes.blind_nodes(at), *strangers),
        )
    )


def _unwatched(counters: Counters, policy: PolicySettings) -> tuple[str, ...]:
    """Standbys that stream from a server and are not configured."""
    more = counters.standbys - policy.unread_standbys - (len(counters.nodes) - 1)
    return (f"{count(more, 'standby')} that no [[nodes]] names",) if more > 0 else ()


def judge(seen: Observed) -> Survey:
    """Find the candidates; pure."""
    tables = list(unused_tables(seen))
    # What belongs to a table goes where the table goes.
    gone = {candidate.element for candidate in tables}
    parts = (
        *unused_indexes(seen, gone),
        *unused_columns(seen),
        *repeated_constraints(seen),
        *unused_enums(seen),
    )
    found = [
        found
        for found in (*tables, *parts)
        if found.element.table not in gone and not seen.is_deprecated(found.element)
    ]
    found.sort(key=lambda c: (-c.confidence, -c.bytes, c.element.kind, c.element.path))
    return Survey(tuple(found), tuple(_unjudged(seen)))


def _unjudged(seen: Observed) -> Iterator[str]:
    wanted = timedelta(days=seen.policy.observed_days)
    if seen.blind:
        yield (
            f"tables and indexes: reads on {', '.join(seen.blind)} are counted there alone, and nobody looked"
            " (`pgattic collect`)"
        )
    if not seen.is_long_enough:
        yield (
            f"tables, indexes, columns and enums: observed for {duration(seen.window)} only, since "
            f"{seen.since:%Y-%m-%d %H:%M}; {duration(wanted)} wanted (policy.observed_days)"
        )
    elif seen.logged.covered_seconds <= 0:
        yield "columns: statements are not logged in full, or their log was not read"
    elif seen.logged.fraction < seen.policy.coverage_wanted:
        yield (
            f"columns: all statements were logged {percent(seen.logged.fraction)} of the time only, "
            f"{percent(seen.policy.coverage_wanted)} wanted (policy.coverage_wanted)"
        )
    elif seen.opaque:
        yield f"columns: {count(seen.opaque, 'statement')} (unreadable, or DO blocks) may use any of them"
    yield (
        "constraints: only exact repetitions; whether one is still needed shows in nothing that is counted"
    )
    yield "partitions, inheriting tables and what belongs to extensions"
    yield "uses on a standby that was switched off, or that policy.unread_standbys leaves out"
    yield "the age of an element, which PostgreSQL does not keep: one younger than the window had less time"
