"""What ingest knows of the sessions at a position, kept beside the tables.

It is written before a commit begins, and the one before it is kept until then: whichever position a crash
leaves, the state of that position is there, and the file tells which commit may be half done. A state that
fits no position is not used: sessions are then unknown, which is safe. Each server has a file of its own: the
same session can be in the logs of two, where a standby was made with the log of its primary.
"""

import base64
import json
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from catalog.errors import os_error_as
from catalog.files import write_atomically
from ingest.errors import StoreError
from ingest.evidence.sessions import Sessions
from ingest.gaps import LineNumbers
from ingest.node_files import node_file
from ingest.positions import Position

STATE_NAME = "ingest.state"
# Where there are very many sessions, it takes a while; then not at every commit, but at the last one.
_SLOW_SECONDS = 0.05
_SLOW_PAUSES = 50


@dataclass
class SessionState:
    """The settings and line numbers of sessions, as of the last record that was read."""

    sessions: Sessions = field(default_factory=Sessions)
    lines: LineNumbers = field(default_factory=LineNumbers)


class StateFile:
    """The state of the last position in a server's log, and of the one that is about to be."""

    def __init__(self, data_directory: Path, node: str) -> None:
        self._path = node_file(data_directory, STATE_NAME, node)
        self._last: dict[str, object] | None = None
        self._slow_until = 0.0

    def load(self, positions: dict[str, Position]) -> tuple[SessionState, set[str] | None]:
        """The state that belongs to the positions as committed, or a new one.

        Then the origins of which a commit may be half done; None where it can be any.
        """
        self._last, doubtful = None, None
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            content = json.loads(self._path.read_bytes())
            states = content["states"]
            if content["doubtful"] is not None:
                doubtful = {str(states[0]["origin"]), *content["doubtful"]}
            for each in states:
                position = positions.get(each["origin"])
                if position is not None and position.offset == each["offset"] and "sessions" in each:
                    state = SessionState(
                        Sessions.load(base64.b64decode(each["sessions"])),
                        LineNumbers.load(base64.b64decode(each["lines"])),
                    )
                    self._last = each
                    return state, doubtful
        return SessionState(), doubtful

    def save(self, origin: str, offset: int, state: SessionState, doubtful: set[str] | None) -> None:
        """Keep the state that belongs to a position which is committed next; raises StoreError.

        `doubtful` are other origins of which a commit may be half done, None any.
        """
        started = monotonic()
        now: dict[str, object] = {"origin": origin, "offset": offset}
        if started >= self._slow_until:
            now["sessions"] = base64.b64encode(state.sessions.dump()).decode()
            now["lines"] = base64.b64encode(state.lines.dump()).decode()
        states = [now, self._last] if self._last else [now]
        content = {"states": states, "doubtful": None if doubtful is None else sorted(doubtful)}
        todo = "Check data.directory in pgattic.toml: does it exist, is it writable, is there space"
        with os_error_as(StoreError, "cannot be written", where=self._path, todo=todo):
            write_atomically(self._path, json.dumps(content).encode())
        self._last = now
        if (took := monotonic() - started) > _SLOW_SECONDS:
            self._slow_until = started + _SLOW_PAUSES * took

    def complete(self, state: SessionState, doubtful: set[str] | None) -> None:
        """Keep the state of the last position where `save` took no time for it; at the end of a run."""
        if self._last is not None and "sessions" not in self._last:
            self._slow_until = 0.0
            self.save(str(self._last["origin"]), int(str(self._last["offset"])), state, doubtful)
