"""What the server's log can show, and for which time a batch of it speaks; pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

import pyarrow as pa

from ingest.evidence.languages import is_known
from ingest.evidence.setting_lines import SettingLines
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
_AUDIT_SETTINGS = frozenset({"pgaudit.role", "pgaudit.log_client", "pgaudit.log_level"})
# What auto_explain must be set to, so that it logs the whole plan of every statement, within functions too.
_ALL_PLANS = {
    "auto_explain.log_min_duration": "0",
    "auto_explain.sample_rate": "1",
    "auto_explain.log_level": "log",
    "auto_explain.log_nested_statements": "on",
    "auto_explain.log_verbose": "on",
}


@dataclass(frozen=True)
class LogSettings:
    """The settings of a server that decide what its log tells, and since when they are known to hold.

    `audits` says that pgaudit writes a line for each use of what is granted to its role, `explains` that
    auto_explain writes the plan of every statement; both where nothing else keeps their lines out.
    """

    log_min_messages: str
    log_min_error_statement: str
    log_statement: str
    log_min_duration_statement: int
    lc_messages: str
    log_timezone: str
    formats: frozenset[str]
    log_line_prefix: str | None = None
    audits: bool = False
    explains: bool = False
    overridden: frozenset[str] = frozenset()
    since: datetime | None = None

    @classmethod
    def of(
        cls, settings: Mapping[str, str], overridden: Iterable[str] = (), since: datetime | None = None
    ) -> Self:
        """From names and values as pg_settings has them; of `overridden` some role has its own."""
        destinations = {part.strip() for part in settings["log_destination"].split(",")}
        # Without the collector only stderr is written, by whoever started the server.
        is_collected = settings["logging_collector"] == "on"
        return cls(
            log_min_messages=settings["log_min_messages"],
            log_min_error_statement=settings["log_min_error_statement"],
            log_statement=settings["log_statement"],
            log_min_duration_statement=int(settings["log_min_duration_statement"]),
            lc_messages=settings["lc_messages"],
            log_timezone=settings["log_timezone"],
            formats=frozenset(destinations if is_collected else destinations & {"stderr"}),
            log_line_prefix=settings.get("log_line_prefix"),
            audits=_audits(settings),
            explains=_explains(settings),
            overridden=frozenset(overridden),
            since=since,
        )


def _audits(settings: Mapping[str, str]) -> bool:
    # Settings of a library that is not loaded are not there. The level is that of lines which go to clients.
    is_for_server = settings.get("pgaudit.log_client") == "off" or settings.get("pgaudit.log_level") == "log"
    return bool(settings.get("pgaudit.role")) and is_for_server


def _explains(settings: Mapping[str, str]) -> bool:
    # Loaded in another way, sessions may be without it.
    libraries = {part.strip() for part in settings.get("shared_preload_libraries", "").split(",")}
    return "auto_explain" in libraries and all(
        settings.get(name) == wanted for name, wanted in _ALL_PLANS.items()
    )


def sources_seen(settings: LogSettings | None, log_format: str = "csvlog") -> tuple[Source, ...]:
    """The sources by which a use would have shown up in a log; none where the settings are not known.

    Sampled or slow statements alone do not count: a use that stays out of the log proves nothing.
    """
    if settings is None or log_format not in settings.formats:
        return ()
    # What one role hides from the log is not seen, whatever the server's own setting.
    is_open = settings.overridden.isdisjoint
    shows_lines = settings.log_min_messages in _LEVELS[: _LEVELS.index("log") + 1]
    shows_lines = shows_lines and is_open({"log_min_messages"})
    # The lines about statements and plans are told by the server's words.
    tells_statements = shows_lines and is_known(settings.lc_messages)
    shows_all = settings.log_statement == "all" or settings.log_min_duration_statement == 0
    seen = {
        Source.ERROR: _shows_errors(settings.log_min_messages)
        and _shows_errors(settings.log_min_error_statement)
        and is_open({"log_min_messages", "log_min_error_statement"}),
        Source.LOG: tells_statements
        and shows_all
        and is_open({"log_statement", "log_min_duration_statement"}),
        Source.SENSOR: shows_lines,
        Source.AUDIT: shows_lines and settings.audits and is_open(_AUDIT_SETTINGS),
        Source.PLAN: tells_statements and settings.explains and is_open(_ALL_PLANS),
    }
    return tuple(source for source, is_seen in seen.items() if is_seen)


def _shows_errors(level: str) -> bool:
    # PostgreSQL 19 lists a level for each kind of process; what we do not know shows nothing.
    return level in _LEVELS[: _LEVELS.index("error") + 1]


@dataclass(frozen=True, slots=True)
class Stretch:
    """One stretch of a log file that was read, and what of it; times are those of its records, if any.

    `settings` is what its lines tell of the server's settings; None where a lost one would not be noticed.
    """

    origin: str
    path: str
    start_offset: int
    end_offset: int
    records: int = 0
    unrecognised: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    settings: SettingLines | None = None


def coverage_rows(
    stretch: Stretch,
    *,
    node: str,
    covered_from: datetime | None,
    reached_end_at: datetime | None,
    read_at: datetime,
    sources: Iterable[Source],
    since: datetime | None = None,
) -> pa.Table:
    """The COVERAGE rows of a stretch, one or two; `covered_from` is where coverage has come to, if anywhere.

    At the end of the newest file nothing more had been logged when it was read; before that, only the records
    themselves tell a time.

    Nobody can tell what the settings were before the server last read them (`since`), so of the time before
    that nothing is claimed: whoever turns on statement logging today has not logged last month's statements.
    A record that was not understood may be a statement, so `log` is not claimed beside one.
    """
    covered_from = covered_from or stretch.first_at
    moments = [moment for moment in (covered_from, stretch.last_at, reached_end_at) if moment is not None]
    # Where no time is known at all, nothing is covered.
    covered_to = max(moments) if covered_from else None
    claimed = [source for source in sources if not (stretch.unrecognised and source is Source.LOG)]
    row = {
        "node": node,
        "origin": stretch.origin,
        "path": stretch.path,
        "start_offset": stretch.start_offset,
        "end_offset": stretch.end_offset,
        "records": stretch.records,
        "unrecognised": stretch.unrecognised,
        "covered_from": covered_from,
        "covered_to": covered_to,
        "sources": claimed,
        "reloads": stretch.settings and stretch.settings.reloads,
        "setting_changes": stretch.settings and stretch.settings.changes,
        "read_at": read_at,
        "day": read_at.date(),
    }
    rows = [row]
    if since and covered_from and covered_to and since > covered_from:
        border = min(since, covered_to)
        before = {
            **row,
            "covered_to": border,
            "sources": [],
            "end_offset": stretch.start_offset,
            "records": 0,
            "unrecognised": 0,
        }
        rows = [before, {**row, "covered_from": border}]
    return pa.Table.from_pylist(rows, schema=COVERAGE)
