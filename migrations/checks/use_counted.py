"""Did PostgreSQL itself count a use within the policy's window?"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from analytics.sentences import count
from catalog.counters import Counter
from catalog.elements import Element, Kind
from migrations.checks.situation import Situation
from migrations.findings import Finding, Severity

_COUNTED = (Kind.TABLE, Kind.MATVIEW, Kind.INDEX, Kind.SEQUENCE)


def check(situation: Situation) -> Iterator[Finding]:
    """A counted use blocks when it was recent, and warns when nobody can say when it was.

    The scans of our own backups are known and do not count.
    """
    for element in situation.elements:
        counter = situation.counters.counters.get(situation.snapshot.oid(element) or 0)
        if element.kind not in _COUNTED or counter is None:
            continue
        counter = replace(counter, reads=max(0, counter.reads - situation.own_scans.get(counter.oid, 0)))
        if counter.reads or counter.writes:
            yield _finding(situation, element, counter)


def _finding(situation: Situation, element: Element, counter: Counter) -> Finding:
    window = timedelta(days=situation.policy.quiet_days)
    counted = f"{count(counter.reads, 'scan')} and {count(counter.writes, 'written row')} counted"
    if element.kind is Kind.SEQUENCE:
        counted = f"{count(counter.reads, 'read')} (a dump's among them) counted"
    if counter.last_read_at and counter.last_read_at >= situation.now - window:
        return Finding(
            "use-counted",
            Severity.BLOCK,
            str(element),
            f"{counted}, last scan at {counter.last_read_at:%Y-%m-%d %H:%M} UTC",
            "Find the reader; a dump of the database counts too, as the counters do not tell them apart",
        )
    since = situation.counters.reset_at
    return Finding(
        "use-counted",
        Severity.WARN,
        str(element),
        f"{counted} since {f'{since:%Y-%m-%d}' if since else 'the server was made'}, none known to be recent",
    )
