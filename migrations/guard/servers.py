"""Whose logs the guard hears: what each server says of its log and its clock, and who cannot be heard."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from analytics.sentences import count
from catalog.database import Database, Row, load_sql
from catalog.settings import Settings
from ingest.coverage import LogSettings, sources_seen
from ingest.errors import LogsUnavailableError
from ingest.knowledge import read_log_settings
from ingest.schemas import Source
from migrations.guard.failures import EXACT, Clock

# By how much a clock may go wrong in the hours after it was looked at.
_DRIFT = timedelta(seconds=1)
# What lines of a stderr log must begin with, so that an error in them proves something.
_PROVING = (("%e", "SQLSTATE"), ("%d", "database"))


@dataclass(frozen=True)
class Blind:
    """Why the guard does not hear a server's log, and in which time; `until` None: to its end.

    What was logged meanwhile is read when the log can be read again.
    """

    node: str
    why: str
    since: datetime
    until: datetime | None = None

    def __str__(self) -> str:
        time = f" ({self.since:%H:%M:%S} to {self.until:%H:%M:%S} UTC)" if self.until else ""
        return f"node {self.node}: {self.why}{time}"


@dataclass(frozen=True)
class Said:
    """What a server says of its log, and what its clock is worth."""

    settings: LogSettings
    clock: Clock = EXACT


def ask(db: Database) -> Said:
    """What the primary says; raises DatabaseError."""
    return Said(read_log_settings(db))


def ask_replica(connect: Callable[[], Database], connect_primary: Callable[[], Database]) -> Said:
    """What a replica says; raises DatabaseError, and LogsUnavailableError where it is none of the primary."""
    with connect() as there, connect_primary() as here:
        before, seen, after = (look_at(db) for db in (here, there, here))
        if seen["system_id"] != after["system_id"]:
            what = (
                f"no replica of the primary: its system identifier is {seen['system_id']},"
                f" that of the primary {after['system_id']}"
            )
            raise LogsUnavailableError(what, where=there.where, todo="Check nodes.dsn in pgattic.toml")
        settings = read_log_settings(there)
    took = after["now"] - before["now"]
    return Said(settings, Clock(seen["now"] - (before["now"] + took / 2), took + _DRIFT))


def look_at(db: Database) -> Row:
    """A server's time, system identifier and number of standbys."""
    row = db.fetch_one(load_sql("catalog", "counting"))
    assert row is not None
    return row


def without_logs(settings: Settings, nodes: Iterable[str], standbys: int, at: datetime) -> Iterator[Blind]:
    """The servers that nobody can hear: those without logs in the configuration, and those not in it.

    `nodes` are those whose logs are configured, `standbys` how many stream from the primary.
    """
    heard, retired = set(nodes), settings.policy.retired_nodes
    for node in settings.nodes:
        if node.name not in heard and node.name not in retired:
            yield Blind(node.name, "its log is not configured (nodes.logs)", at)
    unknown = standbys - len(settings.nodes) - settings.policy.unread_standbys
    if unknown > 0:
        why = (
            f"{count(unknown, 'standby server')} of it without [[nodes]]: what fails there is logged there"
            " alone (policy.unread_standbys, where nobody reads from it)"
        )
        yield Blind(settings.logs.node, why, at)


def telling_too_little(node: str, log_format: str | None, said: Said, at: datetime) -> Iterator[Blind]:
    """Where a log shows no failed statements, or proves nothing: stderr logs without SQLSTATE or database.

    `log_format` is that of its newest file, None where there is none yet.
    """
    if log_format is None:
        return
    if Source.ERROR not in sources_seen(said.settings, log_format):
        why = (
            f"its settings keep failed statements out of this {log_format} log, for some role at least"
            " (log_destination, log_min_messages, log_min_error_statement); `pgattic doctor` says more"
        )
        yield Blind(node, why, at)
    prefix = said.settings.log_line_prefix or ""
    lacking = [f"{escape} ({what})" for escape, what in _PROVING if escape not in prefix]
    if log_format == "stderr" and lacking:
        why = (
            f"its log_line_prefix has no {' and no '.join(lacking)}:"
            " what fails is told, and nothing is brought back"
        )
        yield Blind(node, why, at)
