"""When a server's log may not show what its settings say, by looks at the server; pure.

A role or database can have settings of its own, without a reload and without a line in the log, and its
sessions keep them until they end. And what a log shows is read only where the server writes it: a log that
has moved, or is copied no more, looks like one in which nothing happens.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from analytics.stretches import Stretch

_EVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class DoubtfulLook:
    """What a look at a server says besides the settings of the server itself.

    `overridden` are the settings that some role or database has for itself; `oldest_session_at` is when the
    oldest session of a client began; `log` is the file that the server wrote to, without the endings that
    formats and compression give it (None: nothing was in it, or nobody knows).
    """

    at: datetime
    overridden: frozenset[str] = frozenset()
    oldest_session_at: datetime | None = None
    log: str | None = None


def overridden(looks: Iterable[DoubtfulLook], settings: Collection[str]) -> list[Stretch]:
    """When some session may have had one of some settings for itself, by looks in their order.

    That begins with the look before the first one that saw it, and ends when all sessions are younger than a
    look that saw it no more.
    """
    found: list[Stretch] = []
    before, since, gone_at = _EVER[0], None, None
    for look in looks:
        if not look.overridden.isdisjoint(settings):
            since, gone_at = since or before, None
        elif since is not None:
            gone_at = gone_at or look.at
            if look.oldest_session_at is None or look.oldest_session_at >= gone_at:
                found.append((since, look.at))
                since = None
        before = look.at
    return [*found, (since, _EVER[1])] if since is not None else found


def unread(looks: Iterable[DoubtfulLook], files: Collection[str]) -> list[Stretch]:
    """When a server wrote a log that was never read, by looks in their order; `files` are those that were.

    Where no look names a file that was read, the files are called otherwise where they are read, and nothing
    can be told.
    """
    told = [look for look in looks if look.log is not None]
    if not any(look.log in files for look in told):
        return []
    return list(_between(told, files))


def _between(looks: Sequence[DoubtfulLook], files: Collection[str]) -> Iterable[Stretch]:
    before, since = _EVER[0], None
    for look in looks:
        if look.log not in files:
            since = since or before
        elif since is not None:
            yield since, look.at
            since = None
        before = look.at
    if since is not None:
        yield since, _EVER[1]
