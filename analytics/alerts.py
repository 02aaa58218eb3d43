"""Alerts: somebody used an element in the attic, so a person should look.

`Alerts` makes those of each batch that ingest is about to commit. It remembers earlier batches, as far as the
rules need that, and gives the same alerts for the same batch after a crash.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa

from analytics.alerting.acknowledgements import Acknowledgements
from analytics.alerting.causes import Cause, audible, causes_of
from analytics.alerting.memory import Memory, Position, counted_from, recalled
from analytics.alerting.messages import describe
from analytics.alerting.mutes import Mutes
from analytics.alerting.rules import alerts_of, count_uses
from catalog.alert_settings import AlertSettings, Severity
from ingest.schemas import ALERT
from ingest.store import Store

__all__ = ["Alerts", "Severity", "describe"]

# What was counted so long before a batch is kept, so that files that come late do not ask for it again.
_KEPT = timedelta(days=1)


class Alerts:
    """The alerts of one data directory; an `ingest.pipeline.Alerting`. For one thread."""

    def __init__(
        self, settings: AlertSettings, data_directory: Path, known_readers: Collection[str] = ()
    ) -> None:
        self._settings = settings
        self._known_readers = known_readers
        self._data_directory = data_directory
        self._acknowledgements = Acknowledgements(data_directory)
        self._memory: Memory | None = None
        self._read_to: dict[str | None, int] = {}

    def __call__(self, accesses: pa.Table, now: datetime) -> pa.Table:
        """The alerts of one batch of ACCESS rows, in the order of what they are about."""
        rules = self._settings.access_rules
        causes = causes_of(accesses)
        if not causes or not rules:
            return ALERT.empty_table()
        mutes = Mutes.of(self._settings, self._acknowledgements.all(), self._known_readers)
        memory = self._memory_for(accesses, causes, mutes)
        found = alerts_of(audible(causes, mutes), rules, memory, now)
        memory.meet(causes)
        return pa.Table.from_pylist(found, schema=ALERT)

    def _memory_for(self, accesses: pa.Table, causes: list[Cause], mutes: Mutes) -> Memory:
        """What was kept from the batch before, unless this one was seen before or is of a time before."""
        rules = self._settings.access_rules
        since = counted_from(rules, min(int(cause.times[0]) for cause in causes))
        kept_from = since - _KEPT // timedelta(microseconds=1)
        origin = accesses["origin"][0].as_py()
        offsets = [offset or 0 for offset in accesses["log_offset"].to_pylist()]
        is_next = min(offsets) > self._read_to.get(origin, -1)
        if self._memory is None and Store(self._data_directory).is_empty():
            self._memory = Memory(kept_from)
        elif self._memory is None or not is_next or since < self._memory.since:
            # Many a log is read in which nobody used anything of the attic.
            from analytics.store import Evidence  # noqa: PLC0415

            with Evidence.open(self._data_directory) as evidence:
                self._memory = recalled(
                    evidence,
                    rules,
                    Position(origin, min(offsets)),
                    kept_from,
                    lambda memory, before: count_uses(audible(before, mutes), rules, memory),
                )
        elif self._memory.since < kept_from:
            self._memory.forget(kept_from)
        self._read_to[origin] = max(offsets)
        return self._memory
