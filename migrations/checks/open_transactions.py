"""Who holds or waits for a lock right now that the rename would wait for?"""

from collections.abc import Iterator

from catalog.elements import Element, Kind
from migrations.blockers import Blocker
from migrations.checks.situation import Situation
from migrations.findings import Finding, Severity

_WORTH_MENTIONING_SECONDS = 1.0
# Their renames wait for nobody who reads or writes (measured on 15 and 18).
_WITHOUT_WAITING = frozenset({Kind.INDEX, Kind.ENUM, Kind.ENUM_VALUE})


def check(situation: Situation) -> Iterator[Finding]:
    """A long transaction makes the rename of a table time out, each time; a queue for it is worse."""
    sessions: dict[int, list[Blocker]] = {}
    for session in situation.sessions:
        sessions.setdefault(session.oid, []).append(session)
    for element in situation.elements:
        if element.kind in _WITHOUT_WAITING or _goes_by_index(situation, element):
            continue
        relation = situation.relation_of(element)
        for session in sessions.get(relation.oid, ()) if relation else ():
            yield from _held(situation, element, session) if session.granted else _waited(element, session)


def _goes_by_index(situation: Situation, element: Element) -> bool:
    place = situation.places.get(element)
    return place is not None and place.index is not None


def _held(situation: Situation, element: Element, session: Blocker) -> Iterator[Finding]:
    if session.seconds >= situation.policy.max_transaction_seconds:
        yield Finding(
            "open-transaction",
            Severity.BLOCK,
            str(element),
            f"has been open for longer than {situation.policy.max_transaction_seconds} s in {session}",
            f"End it, or let it end; {session.ending}",
        )
    elif session.seconds >= _WORTH_MENTIONING_SECONDS:
        yield Finding(
            "open-transaction",
            Severity.WARN,
            str(element),
            f"is open in {session}",
            "The rename gives up after lock_timeout and tries again; nobody queues for long",
        )


def _waited(element: Element, session: Blocker) -> Iterator[Finding]:
    yield Finding(
        "lock-queue",
        Severity.BLOCK,
        str(element),
        f"has a queue for its lock already: {session}",
        "Wait until the queue is gone: the rename would stand in it, and others behind the rename",
    )
