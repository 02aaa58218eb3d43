"""What the server's log can show, and for which time a batch of it speaks; pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from ingest.schemas import COVERAGE, Source

# From the most to the least talkative; a setting shows its own level and those after it. For the server's log
# PostgreSQL ranks LOG between ERROR and FATAL.
_LEVELS = (
    "debug5",
    "debug4",
    "debug3",
    "debug2",
    "debug1",
    "info",
    "notice",
    "warning",
    "error",
    "log",
    "fatal",
)


@dataclass(frozen=True)
class LogSettings:
    """The settings of a server that decide what its log tells, and since when they are known to hold."""

    log_min_messages: str
    log_min_error_statement: str
    log_statement: str
    log_min_duration_statement: int
    lc_messages: str
    log_timezone: str
    writes_csvlog: bool
    overridden: frozenset[str] = frozenset()
    since: datetime | None = None

    @classmethod
    def of(
        cls, settings: Mapping[str, str], overridden: Iterable[str] = (), since: datetime | None = None
    ) -> Self:
        """From names and values as pg_settings has them; of `overridden` some role has its own."""
        destinations = {part.strip() for part in settings["log_destination"].split(",")}
        return cls(
            log_min_messages=settings["log_min_messages"],
            log_min_error_statement=settings["log_min_error_statement"],
            log_statement=settings["log_statement"],
            log_min_duration_statement=int(settings["log_min_duration_statement"]),
            lc_messages=settings["lc_messages"],
            log_timezone=settings["log_timezone"],
            writes_csvlog="csvlog" in destinations and settings["logging_collector"] == "on",
            overridden=frozenset(overridden),
            since=since,
        )


def sources_seen(settings: LogSettings | None) -> tuple[Source, ...]:
    """The sources by which a use would have shown up; none where the settings are not known.

    Sampled or slow statements alone do not count: a use that stays out of the log proves nothing.
    """
    if settings is None or not settings.writes_csvlog:
        return ()
    shows_errors = _shows_errors(settings.log_min_messages) and _shows_errors(
        settings.log_min_error_statement
    )
    shows_all = settings.log_statement == "all" or settings.log_min_duration_statement == 0
    # The lines about statements are told by English words.
    speaks_english = settings.lc_messages.split("_")[0] in ("", "C", "POSIX", "en") or (
        settings.lc_messages.startswith("C.")
    )
    shows_statements = shows_all and speaks_english and settings.log_min_messages not in ("fatal", "panic")
    # What one role hides from the log is not seen, whatever the server's own setting.
    is_open = settings.overridden.isdisjoint
    shows_errors = shows_errors and is_open({"log_min_messages", "log_min_error_statement"})
    shows_statements = shows_statements and is_open(
        {"log_min_messages", "log_statement", "log_min_duration_statement", "lc_messages"}
    )
    seen = {Source.ERROR: shows_errors, Source.LOG: shows_statements}
    return tuple(source for source, is_seen in seen.items() if is_seen)


def _shows_errors(level: str) -> bool:
    # PostgreSQL 19 lists a level for each kind of process; what we do not know shows nothing.
    return level in _LEVELS[: _LEVELS.index("error") + 1]


@dataclass(frozen=True)
class Stretch:
    """One stretch of a log file that was read, and what of it."""

    origin: str
    path: str
    start_offset: int
    end_offset: int
    times: "pa.ChunkedArray[Any]"


def covered_until(
    stretch: Stretch, covered_from: datetime | None, reached_end_at: datetime | None
) -> datetime | None:
    """The end of the time that a stretch speaks for.

    At the end of the newest file nothing more had been logged when it was read; before that, only the
    records themselves tell a time.
    """
    last = pc.max(stretch.times).as_py() if len(stretch.times) else None
    moments = [moment for moment in (covered_from, last, reached_end_at) if moment is not None]
    return max(moments, default=None)


def coverage_rows(
    stretch: Stretch,
    *,
    node: str,
    covered_from: datetime | None,
    reached_end_at: datetime | None,
    read_at: datetime,
    settings: LogSettings | None,
) -> pa.Table:
    """The COVERAGE rows of a stretch, one or two; `covered_from` is where coverage has come to, if anywhere.

    Nobody can tell what the settings were before the server last read them, so of the time before that
    nothing is claimed: whoever turns on statement logging today has not logged last month's statements.
    """
    if covered_from is None and len(stretch.times):
        covered_from = pc.min(stretch.times).as_py()
    # Where no time is known at all, nothing is covered.
    covered_to = covered_until(stretch, covered_from, reached_end_at) if covered_from else None
    row = {
        "node": node,
        "origin": stretch.origin,
        "path": stretch.path,
        "start_offset": stretch.start_offset,
        "end_offset": stretch.end_offset,
        "records": len(stretch.times),
        "unrecognised": 0,
        "covered_from": covered_from,
        "covered_to": covered_to,
        "sources": list(sources_seen(settings)),
        "read_at": read_at,
        "day": read_at.date(),
    }
    rows = [row]
    since = settings.since if settings else None
    if since and covered_from and covered_to and since > covered_from:
        border = min(since, covered_to)
        before = {
            **row,
            "covered_to": border,
            "sources": [],
            "end_offset": stretch.start_offset,
            "records": 0,
        }
        rows = [before, {**row, "covered_from": border}]
    return pa.Table.from_pylist(rows, schema=COVERAGE)
