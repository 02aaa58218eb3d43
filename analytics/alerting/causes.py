"""Uses put together by cause: an element, who used it, with which statement, and how that ended.

Everything here is a value of one batch or of evidence; times are microseconds since 1970 (UTC).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics.alerting.mutes import Mutes, Times
from analytics.alerting.patterns import Used
from catalog.database import APPLICATION_NAME
from ingest.schemas import Operation, Outcome

# Uses that are alike in these have one cause: a job in a loop is one thing to look at. The client comes in
# so that two machines are two things.
_ALIKE = ["element", "role", "application", "client", "statement_id", "outcome", "source"]
Source = tuple[str | None, str | None, str | None]


@dataclass(frozen=True, slots=True)
class Cause:
    """The uses of one cause: the first one as a row of ACCESS, and when all of them were, in order."""

    first: dict[str, Any]
    times: Times

    @property
    def used(self) -> Used:
        """What was used, and by whom."""
        return Used(self.first["element"], *self.source)

    @property
    def source(self) -> Source:
        """Role, application and client."""
        return self.first["role"], self.first["application"], self.first["client"]

    @property
    def failed(self) -> bool:
        """Whether the statement failed."""
        return bool(self.first["outcome"] == Outcome.ERROR)

    @property
    def only_read(self) -> bool:
        """Whether the statement succeeded and wrote nothing."""
        return not self.failed and self.first["operation"] != Operation.WRITE


def causes_of(accesses: pa.Table) -> list[Cause]:
    """The causes in a table of ACCESS rows, by their first use; what pgattic did itself is left out."""
    # Only what is compared is moved about: whole rows are wide, and only the first of each cause is wanted.
    narrow = accesses.select([*_ALIKE, "occurred_at"]).append_column("row", _numbers(accesses))
    worked, ours = pc.field("outcome") == Outcome.OK.value, pc.field("application") == APPLICATION_NAME
    narrow = narrow.filter(~(worked & ours.is_valid() & ours)).sort_by("occurred_at")
    if not len(narrow):
        return []
    keyed = narrow.select(_ALIKE).append_column("nth", _numbers(narrow)).combine_chunks()
    keyed = keyed.append_column("at", narrow["occurred_at"].cast(pa.int64()))
    # One thread keeps the order of the rows within a group.
    grouped = keyed.group_by(_ALIKE, use_threads=False).aggregate([("nth", "min"), ("at", "list")])
    grouped = grouped.sort_by("nth_min").combine_chunks()
    firsts = accesses.take(narrow["row"].take(grouped["nth_min"])).to_pylist()
    lists = cast("pa.ListArray[pa.Int64Scalar]", grouped["at_list"].chunk(0))
    values = lists.values.to_numpy()
    borders = lists.offsets.to_numpy()
    return [Cause(first, values[borders[i] : borders[i + 1]]) for i, first in enumerate(firsts)]


def _numbers(rows: pa.Table) -> "pa.Array[Any]":
    return pa.array(np.arange(len(rows)))


def audible(causes: Iterable[Cause], mutes: Mutes) -> list[Cause]:
    """What is left of the causes without the uses that are muted."""
    left = (
        replace(cause, times=mutes.audible(cause.used, cause.times))
        for cause in causes
        # What does not count for the verdict alarms nobody: a dump each night, say.
        if not (cause.only_read and cause.used.application in mutes.known_readers)
    )
    return [cause for cause in left if len(cause.times)]


def put_together(causes: Iterable[Cause]) -> Cause:
    """One cause of several: failed uses come first, then the earlier ones.

    What several kinds of line tell of one source (the statement, a sensor, an audit line) is the same use
    told twice, so the kind that tells most counts alone.
    """
    by_source: dict[Source, dict[str, list[Times]]] = {}
    known = list(causes)
    for cause in known:
        by_source.setdefault(cause.source, {}).setdefault(cause.first["source"], []).append(cause.times)
    kept = []
    for by_kind in by_source.values():
        times = (np.concatenate(found) for found in by_kind.values())
        kept.append(max(times, key=len))
    first = min(known, key=lambda cause: (not cause.failed, cause.times[0]))
    return Cause(first.first, np.sort(np.concatenate(kept)))
