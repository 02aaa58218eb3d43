"""When sessions of each node may have had settings of their own, by what the samples of its server say."""

from collections.abc import Collection
from datetime import datetime, timedelta

from analytics.doubts import DoubtfulLook, overridden
from analytics.store import Evidence
from analytics.stretches import Stretch

# A session can be older than the time that is asked for, and keeps what it began with.
_LOOK_BACK = timedelta(days=30)


class OwnSettings:
    """The settings that roles and databases had for themselves since some time before a moment.

    It goes back far enough for whoever asks about a time since that moment, or a later one.
    """

    def __init__(self, evidence: Evidence, since: datetime) -> None:
        self._looks: dict[str, list[DoubtfulLook]] = {}
        for row in evidence.query("own_settings", since=since - _LOOK_BACK).to_pylist():
            look = DoubtfulLook(row["sampled_at"], frozenset(row["overridden"]), row["oldest_session_at"])
            self._looks.setdefault(row["node"], []).append(look)

    def of(self, settings: Collection[str]) -> dict[str, list[Stretch]]:
        """When some session of each node may have had one of some settings for itself."""
        return {node: overridden(looks, settings) for node, looks in self._looks.items()}
