"""When another server took over the name of a node, by looks at the servers; pure.

After a failover, or where a replica was made anew, a node's name stands for another server, with counters and
a log of its own. What the one before it was used for after the last look at it, nobody has seen.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from analytics.stretches import Stretch

_EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ServerLook:
    """Which server answered at a moment: when it was started, and since when it has counted."""

    at: datetime
    started_at: datetime | None
    kept_since: datetime | None


def takeovers(looks: Iterable[ServerLook], promotions: Iterable[datetime] = ()) -> list[Stretch]:
    """From the last look at the server before to the moment from which on another one stands for the node.

    `looks` are all of a node in their order. `promotions` are when its present server became a primary: until
    then the primary was another one. A server that was started anew after a crash is taken for another one.
    """
    found = list(looks)
    by_looks = [(before.at, after.at) for before, after in pairwise(found) if _is_another(before, after)]
    by_promotions = [
        (max((look.at for look in found if look.at < promoted_at), default=_EVER), promoted_at)
        for promoted_at in promotions
    ]
    return sorted(by_looks + by_promotions)


def _is_another(before: ServerLook, after: ServerLook) -> bool:
    if None in (before.kept_since, after.kept_since):
        return False
    # A crash of a session alone ends the counting, too; the server that was started is the same.
    return before.kept_since != after.kept_since and before.started_at != after.started_at
