"""For which time looks at a server's settings prove that its log showed failed statements; pure.

`ingest` claims nothing of a log for the time before the server last read its configuration: nobody can tell
what held before. A look by `pgattic collect` can: what it saw held from the last reading of the
configuration before it until the next one. What held from a look to the next reload is told by the log
itself: at each reload the server writes a line for every setting that it changed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from analytics.stretches import Stretch, joined

# The line of a reload is written at its beginning, the time of the last one is taken at its end.
_RELOAD_TAKES = timedelta(seconds=1)
# A look by a session that had not noticed a reload yet; lines that were written and not in the file yet.
_LATE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class SettingsLook:
    """The settings of a server at a moment, and when it had last read its configuration (or was started)."""

    at: datetime
    settings_since: datetime
    shows_errors: bool
    started_at: datetime | None = None


@dataclass
class Told:
    """What the log of a server tells of its settings.

    `read` are the times of which no line is lost (a set of stretches); `reloads` is when it tells that the
    configuration was read anew, `changes` when that changed a setting which decides on failed statements.
    """

    read: list[Stretch] = field(default_factory=list)
    reloads: list[datetime] = field(default_factory=list)
    changes: list[datetime] = field(default_factory=list)

    def unchanged_to(self, before: SettingsLook, after: SettingsLook) -> datetime:
        """To when between two looks, with a reload in between, all was as the first one saw it.

        A change of the level or the destination hides its own line; the one that takes it back is told of, or
        lost with the line of its reload. So a line about a change says nothing of the reloads before it, and
        the reload that the second look has seen must be told of. A restart tells nothing.
        """
        reload, at = after.settings_since, before.at
        was_restarted = after.started_at is None or after.started_at > at
        is_told = any(reload - _RELOAD_TAKES <= each <= reload for each in self.reloads)
        is_read = any(start <= at - _LATE and reload + _LATE <= end for start, end in self.read)
        if was_restarted or not is_told or not is_read:
            return at
        if not self.changes_between(before, after):
            return reload
        reloads = (each for each in self.reloads if each > before.settings_since)
        return max(at, min(reloads, default=at))

    def changes_between(self, before: SettingsLook, after: SettingsLook) -> list[datetime]:
        """The changes that the second look has seen, and the first one not."""
        return [each for each in self.changes if before.settings_since < each <= after.settings_since]


def shown(looks: Iterable[SettingsLook], trusted: timedelta, told: Told | None = None) -> list[Stretch]:
    """When the log showed failed statements, by looks in their order.

    Between two looks with a reload in between, only the log itself tells what held from the first one to the
    reload: it could have been changed and changed back. Where both looks show errors and it tells of no
    change, `trusted` is how long that may have been to be taken for unchanged.
    """
    told = told or Told()

    def is_trusted(before: SettingsLook, after: SettingsLook) -> bool:
        is_short = after.settings_since - before.at <= trusted
        return after.shows_errors and is_short and not told.changes_between(before, after)

    def prove() -> Iterator[Stretch]:
        found = list(looks)
        for look in found:
            if look.shows_errors:
                yield look.settings_since, look.at
        for before, after in pairwise(found):
            if not before.shows_errors:
                continue
            if after.settings_since <= before.at:
                yield before.at, after.at
            elif is_trusted(before, after):
                yield before.at, after.settings_since
            else:
                yield before.at, told.unchanged_to(before, after)

    return joined(prove())
