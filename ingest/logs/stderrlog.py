"""Reads stderr logs with any log_line_prefix: lines that belong together become one record.

The server writes the parts of a message (DETAIL, STATEMENT…) as lines of their own, each with the prefix;
what goes on in the next line begins with a tab there. Nothing says that a message is complete but what
follows. Where several processes write at once, lines of others may come between: within a few lines of the
same second, a part still belongs to its message.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest.logs.line_prefix import LinePrefix
from ingest.logs.log_times import NO_TIME, moments
from ingest.logs.records import RECORD, Beginning, Reading, Reject, add_reject, merged, too_long
from ingest.logs.severities import Section, Severity, words
from ingest.schemas import TIME

_JOINED_LINES = 16
_MOST_ENTRIES = 60_000
_LINES_AT_ONCE = 50_000
_SECOND = 19
_NEWLINE, _TAB = b"\n\t"
# What a prefix says of a client that has not told it yet.
_UNTOLD = b"[unknown]"
_REMOTE = re.compile(rb"(.*)\((\d+)\)")
_VERBOSE = re.compile(rb"[0-9A-Z]{5}: ")
_NO_LINE = "no log line"
_ORPHAN = "part of a message that is not there"
_NEXT_LINE = re.compile(rb"\n(?=[^\t\n])")


@dataclass(slots=True)
class _Entry:
    """A message with its parts; `end` is behind its last line, `groups` are what its first prefix tells."""

    start: int
    end: int
    groups: dict[str, bytes | None]
    severity: Severity
    message: bytes
    line_number: int
    epoch: int
    sections: dict[Section, bytes] = field(default_factory=dict)


class Stderrlog:
    """The format stderr, with the prefixes that its lines may have, the most likely first."""

    name = "stderr"
    is_told_by_next = True

    def __init__(self, prefixes: tuple[LinePrefix, ...]) -> None:
        self.prefixes = prefixes

    def beginning(self, buffer: bytes) -> Beginning | None:
        """Where the first line stands that has one of the prefixes."""
        for start, end in _lines(buffer, len(buffer)):
            for prefix in self.prefixes:
                if found := prefix.line.match(buffer, start, end):
                    return Beginning(start, (found[prefix.time] or b"").decode())
        return None

    def read(
        self, buffer: bytes, *, offset: int = 0, is_final: bool = False, log_timezone: str | None = None
    ) -> Reading:
        """Read the messages that are complete; with `is_final` all are, but for a line without an end."""
        stop = buffer.rfind(b"\n") + 1
        stretch = _Stretch(self.prefixes, buffer)
        for start, end in _lines(buffer, stop):
            stretch.add(start, end)
            if len(stretch.entries) == _MOST_ENTRIES and end < stop:
                # What follows is for the next call: messages as objects take ten times their bytes.
                stop, is_final = end, False
                break
        length = stop if is_final else stretch.settled(stop)
        rejects = [
            Reject(offset + reject.offset, reject.length, reject.reason)
            for reject in stretch.rejects
            if reject.offset < length
        ]
        entries = [entry for entry in stretch.entries if entry.start < length]
        records, is_timed = _records(entries, offset, log_timezone)
        for entry, has_time in zip(entries, is_timed, strict=True):
            if not has_time:
                rejects.append(Reject(offset + entry.start, entry.end - entry.start, NO_TIME))
        if is_final and length < len(buffer):
            rejects.append(Reject(offset + length, len(buffer) - length, "record not complete"))
            length = len(buffer)
        return Reading(records, merged(rejects), length)

    def skip(self, buffer: bytes, *, offset: int = 0) -> Reading:
        """Set a message aside that is longer than the buffer, up to where a line seems to begin."""
        return too_long(buffer, _NEXT_LINE, offset)


def _lines(buffer: bytes, stop: int) -> Iterator[tuple[int, int]]:
    """The lines up to a position, each with those after it that go on with it."""
    if not stop:
        return
    data = np.frombuffer(buffer, np.uint8)[:stop]
    starts = np.flatnonzero(data[:-1] == _NEWLINE) + 1
    borders = np.concatenate(([0], starts[data[starts] != _TAB], [stop]))
    for first in range(0, len(borders) - 1, _LINES_AT_ONCE):
        yield from pairwise(borders[first : first + _LINES_AT_ONCE + 1].tolist())


class _Stretch:
    """Joins the lines of a stretch into messages."""

    def __init__(self, prefixes: tuple[LinePrefix, ...], buffer: bytes) -> None:
        self.entries: list[_Entry] = []
        self.rejects: list[Reject] = []
        self._prefixes = prefixes
        self._buffer = buffer
        self._open: dict[bytes | None, _Entry] = {}
        self._meaning = words().meaning
        self._number = 0
        self._epoch = 0
        self._second = b""

    def add(self, start: int, end: int) -> None:
        """Add the next line."""
        found, prefix = self._matched(start, end)
        if found is None or prefix is None:
            add_reject(self.rejects, start, end - start, _NO_LINE)
            return
        groups = found.groupdict()
        meaning = self._meaning.get(groups["word"], Severity.ERROR)
        self._number += 1
        second = (groups[prefix.time] or b"")[:_SECOND]
        if second != self._second:
            self._second = second
            self._epoch += 1
        key = groups.get("c") or groups.get("p")
        text = self._buffer[found.end() : end - 1].replace(b"\n\t", b"\n").removesuffix(b"\r")
        before = self._open.get(key)
        if isinstance(meaning, Severity):
            entry = _Entry(start, end, groups, meaning, text, self._number, self._epoch)
            self.entries.append(entry)
            self._open[key] = entry
        elif before is not None and self._goes_on(before):
            before.sections[meaning] = text
            before.end, before.line_number, before.epoch = end, self._number, self._epoch
        else:
            add_reject(self.rejects, start, end - start, _ORPHAN)

    def _matched(self, start: int, end: int) -> tuple[re.Match[bytes] | None, LinePrefix | None]:
        for prefix in self._prefixes:
            if found := prefix.line.match(self._buffer, start, end):
                return found, prefix
        # The first prefix is the likeliest; a word that it does not know is a message in another language.
        return self._prefixes[0].guess.match(self._buffer, start, end), self._prefixes[0]

    def _goes_on(self, entry: _Entry) -> bool:
        """Whether the line at hand can belong to a message."""
        distance = self._number - entry.line_number
        return distance == 1 or (distance <= _JOINED_LINES and entry.epoch == self._epoch)

    def settled(self, stop: int) -> int:
        """Up to where all messages are complete, whatever follows, and none has a line behind that."""
        self._number += 1
        waiting = [entry for entry in self._open.values() if self._goes_on(entry)]
        length = first = min((entry.start for entry in waiting), default=stop)
        for entry in reversed(self.entries):
            if entry.start < length < entry.end:
                length = entry.start
        # Processes that write between each other's lines without an end: go on all the same.
        return length or first


def _records(entries: list[_Entry], offset: int, log_timezone: str | None) -> tuple[pa.Table, list[bool]]:
    """The messages as RECORD, and which of them have a time: only those are in it."""
    times = _times(entries, log_timezone)
    is_timed = times.is_valid()
    states = [_state_and_message(entry) for entry in entries]
    places = [
        _position_and_message(entry, message) for entry, (_, message) in zip(entries, states, strict=True)
    ]
    is_inner = [Section.QUERY in entry.sections for entry in entries]
    columns: dict[str, Any] = {
        "occurred_at": times,
        "role": [_told(entry, "u") for entry in entries],
        "database": [_told(entry, "d") for entry in entries],
        "client": [_client(entry) for entry in entries],
        "session_id": _sessions(entries, log_timezone),
        "session_line": [None] * len(entries),
        "sqlstate": [state for state, _ in states],
        "message": [message for _, message in places],
        "detail": [entry.sections.get(Section.DETAIL, b"") for entry in entries],
        "inner_sql": [entry.sections.get(Section.QUERY, b"") for entry in entries],
        "inner_position": [p if inner else None for (p, _), inner in zip(places, is_inner, strict=True)],
        "context": [entry.sections.get(Section.CONTEXT, b"") for entry in entries],
        "sql": [entry.sections.get(Section.STATEMENT, b"") for entry in entries],
        "position": [None if inner else p for (p, _), inner in zip(places, is_inner, strict=True)],
        "application": [_told(entry, "a") for entry in entries],
        "log_offset": [offset + entry.start for entry in entries],
    }
    table = pa.table(
        {field.name: pa.array(columns[field.name], field.type) for field in RECORD}, schema=RECORD
    )
    return table.filter(is_timed), [each is True for each in is_timed.to_pylist()]


def _times(entries: list[_Entry], log_timezone: str | None) -> "pa.Array[Any]":
    clocks = [entry.groups.get("m") or entry.groups.get("t") for entry in entries]
    times = moments(pa.array(clocks, pa.binary()), log_timezone)
    epochs = [entry.groups.get("n") for entry in entries]
    if any(epochs):
        told = [int(epoch.replace(b".", b"")) * 1000 if epoch else None for epoch in epochs]
        times = pc.coalesce(times, pa.array(told, pa.int64()).cast(TIME))
    return times


def _state_and_message(entry: _Entry) -> tuple[bytes, bytes]:
    state = entry.groups.get("e")
    message = entry.message
    # log_error_verbosity = verbose writes the SQLSTATE too, and then there is a location.
    if Section.LOCATION in entry.sections and _VERBOSE.match(message):
        return state or message[:5], message[7:]
    return state or entry.severity.value, message


def _position_and_message(entry: _Entry, message: bytes) -> tuple[int | None, bytes]:
    if entry.severity is Severity.SUCCESS:
        return None, message
    found = words().position.search(message)
    if found is None or found.lastindex is None:
        return None, message
    return int(found[found.lastindex]), message[: found.start()]


def _told(entry: _Entry, letter: str) -> bytes | None:
    """What a prefix tells: nothing where the process has none of it, null where the prefix is without it."""
    if letter not in entry.groups:
        return None
    value = entry.groups[letter]
    return b"" if value is None or value == _UNTOLD else value


def _client(entry: _Entry) -> bytes | None:
    remote = _told(entry, "r")
    if remote is None:
        return _told(entry, "h")
    found = _REMOTE.fullmatch(remote)
    return found[1] + b":" + found[2] if found else remote


def _sessions(entries: list[_Entry], log_timezone: str | None) -> list[bytes | None]:
    """The session of each: as told, or put together as the server does, or the number of its process."""
    if not any("c" not in entry.groups and "s" in entry.groups for entry in entries):
        return [_told(entry, "c") or _told(entry, "p") for entry in entries]
    starts = moments(pa.array([entry.groups.get("s") for entry in entries], pa.binary()), log_timezone)
    seconds = pc.divide(starts.cast(pa.int64()), 1_000_000).to_pylist()
    return [
        _told(entry, "c") or _session(_told(entry, "p"), second)
        for entry, second in zip(entries, seconds, strict=True)
    ]


def _session(process: bytes | None, started: int | None) -> bytes | None:
    return f"{started:x}.{int(process):x}".encode() if process and started is not None else process
