"""Which uses alarm nobody: of a maintenance window, acknowledged ones, and what known readers read."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import cast, get_args
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from analytics.alerting.acknowledgements import Acknowledgement
from analytics.alerting.patterns import Used, means
from catalog.alert_settings import AlertSettings, Weekday, Window

Times = npt.NDArray[np.int64]

_DAYS = cast("tuple[Weekday, ...]", get_args(Weekday))
_MINUTE_US = 60_000_000


@dataclass(frozen=True)
class Mutes:
    """All that mutes; times of uses are microseconds since 1970 (UTC)."""

    windows: tuple[Window, ...] = ()
    timezone: str = "UTC"
    acknowledgements: Sequence[Acknowledgement] = ()
    known_readers: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        settings: AlertSettings,
        acknowledgements: Sequence[Acknowledgement],
        known_readers: Collection[str] = (),
    ) -> "Mutes":
        """Those of a configuration and of people."""
        return cls(settings.windows, settings.timezone, acknowledgements, frozenset(known_readers))

    def audible(self, used: Used, times: Times) -> Times:
        """The times of uses that may alarm somebody."""
        for known in self.acknowledgements:
            if known.withdrawn_at is None and means(known, used):
                times = times[times >= _microseconds(known.until)]
        for window in self.windows:
            if len(times) and means(window, used):
                # A window begins and ends at a full minute, so the uses of one minute share their fate.
                minutes, where = np.unique(times // _MINUTE_US, return_inverse=True)
                muted = [is_within(window, self.timezone, int(minute)) for minute in minutes]
                times = times[~np.array(muted, dtype=np.bool_)[where]]
        return times


@lru_cache(maxsize=4096)
def is_within(window: Window, timezone: str, minute: int) -> bool:
    """Whether a minute (counted from 1970, UTC) lies in a window."""
    moment = datetime.fromtimestamp(minute * 60, UTC)
    if window.since is not None and window.until is not None:
        return window.since <= moment < window.until
    assert window.start is not None
    assert window.end is not None
    local = moment.astimezone(ZoneInfo(timezone))
    begun = local
    if window.start < window.end:
        within = window.start <= local.time() < window.end
    else:
        within = local.time() >= window.start or local.time() < window.end
        # What is left of last night belongs to the day on which it began.
        begun = local - timedelta(days=1) if local.time() < window.end else local
    return within and (not window.days or _DAYS[begun.weekday()] in window.days)


def _microseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
