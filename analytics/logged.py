"""For which time looks at a server's settings prove that its log showed failed statements; pure.

`ingest` claims nothing of a log for the time before the server last read its configuration: nobody can tell
what held before. A look by `pgattic collect` can: what it saw held from the last reading of the
configuration before it until the next one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from analytics.stretches import Stretch, joined


@dataclass(frozen=True, slots=True)
class SettingsLook:
    """The settings of a server at a moment, and when it had last read its configuration (or was started)."""

    at: datetime
    settings_since: datetime
    shows_errors: bool


def shown(looks: Iterable[SettingsLook], trusted: timedelta) -> list[Stretch]:
    """When the log showed failed statements, by looks in their order.

    Between two looks with a reload in between nobody knows what held from the first one to the reload: it
    could have been changed and changed back. Where both looks show errors, `trusted` is how long that may
    have been to be taken for unchanged.
    """

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
            elif after.shows_errors and after.settings_since - before.at <= trusted:
                yield before.at, after.settings_since

    return joined(prove())
