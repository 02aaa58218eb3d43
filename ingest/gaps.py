"""Lines that a log has lost: each session numbers its lines, so a hole in the numbers proves it.

Of each session only the last number is kept, across batches and files. A session is its process and the
second that it began in, which is what its id says; a recycled process number makes another id.
"""

import base64
import json
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest.evidence.columns import by_group, column, encoded
from ingest.logs.records import Reject
from ingest.schemas import GAP

# A session id takes about 20 bytes; this many, with their times, about 30 MB.
_SESSIONS_KEPT = 100_000
_LOST_LINES = "lines are missing"
_LOST_RECORD = "a record could not be read"


@dataclass(frozen=True, slots=True)
class SessionLines:
    """What a stretch of records says of one session, in file order; times are microseconds since 1970."""

    first: int
    first_at: int
    first_offset: int
    last: int
    last_at: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Lines lost between two times (microseconds since 1970).

    None stands for the time of what was read before it, or after it.
    """

    offset: int
    start: int | None
    end: int | None
    lines: int
    reason: str = _LOST_LINES

    def after(self, moment: datetime | None) -> "Gap":
        """The same gap; if its start is not known, it is at a moment."""
        return (
            self if self.start is not None or moment is None else replace(self, start=_microseconds(moment))
        )

    def before(self, moment: datetime) -> "Gap":
        """The same gap; if its end is not known, it is at a moment."""
        return self if self.end is not None else replace(self, end=_microseconds(moment))


@dataclass(frozen=True, slots=True)
class Lines:
    """The sessions of a stretch of records, and the holes within it; small, whatever the stretch's size."""

    sessions: dict[bytes, SessionLines]
    holes: tuple[Gap, ...]


def lines_of(records: pa.Table) -> Lines:
    """Sum up the line numbers of RECORD rows, without a step per row."""
    nobody = pa.scalar(b"", pa.binary())
    ids, lines = column(records, "session_id").fill_null(nobody), column(records, "session_line")
    is_known = pc.and_(pc.not_equal(ids, nobody), pc.is_valid(lines))
    rows = np.flatnonzero(is_known.to_numpy(zero_copy_only=False))
    if not len(rows):
        return Lines({}, ())
    codes, names = encoded(ids)
    rows = rows[by_group(codes[rows])]
    session = codes[rows]
    line = lines.fill_null(0).to_numpy()[rows]
    at = column(records, "occurred_at").cast(pa.int64()).to_numpy()[rows]
    offset = column(records, "log_offset").to_numpy()[rows]
    follows = session[1:] == session[:-1]
    lost = np.flatnonzero(follows & (line[1:] > line[:-1] + 1))
    holes = tuple(
        Gap(
            int(offset[i + 1]),
            int(min(at[i], at[i + 1])),
            int(max(at[i], at[i + 1])),
            int(line[i + 1] - line[i] - 1),
        )
        for i in lost
    )
    starts = np.concatenate(([0], np.flatnonzero(~follows) + 1))
    ends = np.concatenate((np.flatnonzero(~follows), [len(session) - 1]))
    sessions = {
        names[session[i]]: SessionLines(int(line[i]), int(at[i]), int(offset[i]), int(line[j]), int(at[j]))
        for i, j in zip(starts.tolist(), ends.tolist(), strict=True)
    }
    return Lines(sessions, holes)


class LineNumbers:
    """The last line number of each session that is known, bounded; what was forgotten proves no gap."""

    def __init__(self) -> None:
        self._last: OrderedDict[bytes, tuple[int, int]] = OrderedDict()
        # Sessions that began before this second may have lines that nobody has read.
        self._since: float | None = None

    def follow(self, lines: Lines) -> list[Gap]:
        """Go on with a stretch and give its gaps: those within it, and those to what was read before."""
        found = list(lines.holes)
        if self._since is None and lines.sessions:
            self._since = min(each.first_at for each in lines.sessions.values()) / 1e6
        for session, seen in lines.sessions.items():
            before = self._last.pop(session, None) or self._beginning(session)
            if before is not None and seen.first > before[0] + 1:
                start, end = sorted((before[1], seen.first_at))
                found.append(Gap(seen.first_offset, start, end, seen.first - before[0] - 1))
            self._last[session] = seen.last, seen.last_at
        while len(self._last) > _SESSIONS_KEPT:
            session, _ = self._last.popitem(last=False)
            self._since = max(self._since or 0.0, _began(session) or 0.0)
        return found

    def dump(self) -> bytes:
        """All that is known, as bytes."""
        last = [[base64.b64encode(key).decode(), *value] for key, value in self._last.items()]
        return json.dumps({"since": self._since, "last": last}).encode()

    @classmethod
    def load(cls, data: bytes) -> Self:
        """What `dump` gave; raises ValueError or KeyError where it is something else."""
        found, content = cls(), json.loads(data)
        found._since = content["since"]
        for key, line, at in content["last"]:
            found._last[base64.b64decode(key)] = line, at
        return found

    def _beginning(self, session: bytes) -> tuple[int, int] | None:
        """Line 0 of a session that began while we were reading; None for an older one."""
        began = _began(session)
        # The id tells whole seconds.
        if began is None or self._since is None or began <= self._since + 1:
            return None
        return 0, int(began * 1e6)


def _began(session: bytes) -> float | None:
    try:
        return float(int(session.partition(b".")[0], 16))
    except ValueError:
        return None


def reject_gaps(rejects: Iterable[Reject], records: pa.Table) -> list[Gap]:
    """The times that rejects stand for: between the records around each."""
    offsets = records["log_offset"].to_numpy()
    times = records["occurred_at"].cast(pa.int64()).to_numpy()
    found = []
    for reject in rejects:
        place = int(np.searchsorted(offsets, reject.offset))
        start = int(times[place - 1]) if place else None
        end = int(times[place]) if place < len(times) else None
        found.append(Gap(reject.offset, start, end, 0, _LOST_RECORD))
    return found


def gap_rows(gaps: list[Gap], *, node: str, origin: str, path: str, found_at: datetime) -> pa.Table:
    """GAP rows; gaps that overlap are one, so that their number stays bounded."""
    joined: list[dict[str, Any]] = []
    for gap in sorted(gaps, key=lambda each: _times(each, found_at)):
        start, end = _times(gap, found_at)
        last = joined[-1] if joined else None
        if last and start <= last["gap_to"]:
            last["gap_to"] = max(last["gap_to"], end)
            last["log_offset"] = min(last["log_offset"], gap.offset)
            last["reason"] = last["reason"] if last["lines"] else gap.reason
            last["lines"] += gap.lines
            continue
        joined.append(
            {
                "node": node,
                "origin": origin,
                "path": path,
                "log_offset": gap.offset,
                "gap_from": start,
                "gap_to": end,
                "reason": gap.reason,
                "lines": gap.lines,
                "found_at": found_at,
                "day": found_at.date(),
            }
        )
    return pa.Table.from_pylist(joined, schema=GAP)


def _times(gap: Gap, now: datetime) -> tuple[datetime, datetime]:
    """From when to when; a time that nobody knows lies nowhere but at the other one."""
    known = [datetime.fromtimestamp(at / 1e6, UTC) for at in (gap.start, gap.end) if at is not None] or [now]
    return min(known), max(known)


def _microseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6)
