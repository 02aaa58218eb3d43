"""Does a subscription write to the table?"""

from collections.abc import Iterator

from catalog.elements import Kind
from migrations.checks.situation import Situation
from migrations.findings import Finding, Severity


def check(situation: Situation) -> Iterator[Finding]:
    """A subscription finds its tables and columns by the publisher's names: a rename here stops it."""
    for element in situation.elements:
        if element.kind not in (Kind.TABLE, Kind.COLUMN):
            continue
        relation = situation.relation_of(element)
        subscribed = situation.subscribed.get(relation.oid) if relation else None
        if subscribed:
            state = "" if subscribed.is_enabled else ", which is disabled now"
            yield Finding(
                "subscription",
                Severity.BLOCK,
                str(element),
                f"is written by subscription {subscribed.name}{state}: it would stop at the next change",
                "Take the table out of the publication on the other server, then refresh the subscription",
            )
