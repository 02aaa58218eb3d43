"""What each session has set that says what its names mean: its search_path, and statements kept by name.

A session whose beginning was not seen may have set anything: its path is not known until it is set in sight.
That its first line is here is not enough, for the log may not have shown statements when it began. The same
holds after lines that were lost.
"""

import json
import re
from collections import OrderedDict
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from ingest.grammar.paths import Path, as_path
from ingest.grammar.references import Effect, Forget, Keep, RunKept, SetPath, SetRole, Transaction

MAX_SESSIONS = 20_000
# Of a session, and in all, in characters; the sessions that were silent longest are forgotten first.
_KEPT_NAMES = 1_000
_MAX_KEPT = 16 * 1024 * 1024
_USER = "$user"
_FORMAT = 1
_SESSION_ID = re.compile(r"([0-9a-f]{1,12})\.[0-9a-f]+")

# A path as it was set, "$user" and all: None is the role's default, and of the empty one nothing is known.
Setting = tuple[str, ...] | None
UNKNOWN: Setting = ()


@dataclass(slots=True)
class Session:
    """One session.

    `is_in_transaction` is None where that is not known. While `is_open`, the end of its transaction gives it
    another path. `told` is the statement that its last line told of, and the kind of that line, `last_line`
    the number of that (0: not known).
    """

    setting: Setting = None
    after_commit: Setting = None
    after_rollback: Setting = None
    is_open: bool = False
    is_in_transaction: bool | None = False
    has_failed: bool = False
    has_other_role: bool = False
    told: tuple[str, str] | None = None
    kept: dict[str, str] = field(default_factory=dict)
    last_line: int = 0

    def path(self, role: str, default: Path | None) -> Path | None:
        """The schemas that its names are looked for in, or None where they are not known."""
        if self.setting == UNKNOWN:
            return None
        if self.setting is None:
            return None if self.has_other_role else default
        return None if self.has_other_role and _USER in self.setting else as_path(self.setting, role)

    def apply(self, effect: Effect) -> None:
        """A statement has run; what it keeps by name is told to `keep`."""
        match effect:
            case SetPath(schemas, is_local):
                self._set(schemas, is_local=is_local)
            case SetRole():
                self.has_other_role = True
            case Transaction("begin"):
                self._end(self.after_commit)
                self.is_in_transaction = True
            case Transaction("commit"):
                self._end(self.after_rollback if self.has_failed else self.after_commit)
            case Transaction("rollback"):
                self._end(self.after_rollback)
            case Transaction("rollback to"):
                # What was set since the savepoint is gone, and which that is was not kept; the rest goes on.
                self.has_failed = False
                if self.is_open:
                    self.setting = self.after_commit = UNKNOWN
            case Forget(what, None):
                self.kept = {key: sql for key, sql in self.kept.items() if not key.startswith(f"{what} ")}
            case Forget(what, name):
                self.kept.pop(f"{what} {name}", None)
            case Keep() | RunKept():
                return

    def keep(self, effect: Keep, sql: str) -> None:
        """A statement is kept; `sql` holds no constant of it."""
        if len(self.kept) < _KEPT_NAMES:
            self.kept[f"{effect.what} {effect.name}"] = sql

    def kept_for(self, effect: RunKept) -> str | None:
        """The statement that was kept under a name, or None."""
        return self.kept.get(f"{effect.what} {effect.name}")

    def fail(self) -> None:
        """A statement has failed: the commit of its transaction will be a rollback."""
        self.has_failed = self.is_in_transaction is not False

    def _set(self, schemas: Setting, *, is_local: bool) -> None:
        if self.is_in_transaction is False:
            # Outside of a transaction LOCAL does nothing.
            self.setting = self.setting if is_local else schemas
            return
        if not self.is_open:
            self.is_open = True
            self.after_commit = self.setting
            self.after_rollback = self.setting if self.is_in_transaction else UNKNOWN
        if is_local and self.is_in_transaction is None:
            schemas = UNKNOWN
        if not is_local:
            self.after_commit = schemas
        self.setting = schemas

    def _end(self, setting: Setting) -> None:
        if self.is_open:
            self.setting = setting
        self.is_open = self.has_failed = self.is_in_transaction = False


class Sessions:
    """The sessions of one node's log, those that spoke last."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._since: float | None = None

    def __len__(self) -> int:
        return len(self._sessions)

    def watch(self, moment: datetime | None, *, sees_all: bool) -> None:
        """The log goes on at a moment, and shows every statement or not; to be called before each batch."""
        if not sees_all and self._since is not None:
            self._since = None
            self._sessions.clear()
        elif sees_all and self._since is None and moment is not None:
            self._since = moment.timestamp()

    def of(self, session_id: str, line: int | None) -> Session:
        """A session, by the number of the first of its lines that are looked at now."""
        session = self._sessions.get(session_id)
        if session is None or line == 1:
            began = _began(session_id) if line == 1 else None
            is_known = began is not None and self._since is not None and began >= int(self._since)
            session = Session() if is_known else _unknown()
            self._sessions[session_id] = session
        self._sessions.move_to_end(session_id)
        return session

    def anew(self, session_id: str) -> Session:
        """A session of which lines were lost: what it has set in these, nobody knows."""
        session = self._sessions[session_id] = _unknown()
        self._sessions.move_to_end(session_id)
        return session

    def spoke(self, session_id: str, line: int | None) -> None:
        """Note the number of the last line of a session that was looked at."""
        self._sessions[session_id].last_line = line or 0

    def forget_old(self) -> None:
        """Keep within bounds; to be called after each batch."""
        kept = sum(len(sql) for session in self._sessions.values() for sql in session.kept.values())
        while self._sessions and (len(self._sessions) > MAX_SESSIONS or kept > _MAX_KEPT):
            _, session = self._sessions.popitem(last=False)
            kept -= sum(map(len, session.kept.values()))

    def dump(self) -> bytes:
        """All that is known, to be loaded again; without any constant of a statement."""
        known = {name: _as_json(session) for name, session in self._sessions.items()}
        whole = {"format": _FORMAT, "since": self._since, "sessions": known}
        return json.dumps(whole, separators=(",", ":")).encode()

    @classmethod
    def load(cls, data: bytes) -> "Sessions":
        """What `dump` gave; nothing is known where it was another release's."""
        found = cls()
        stored = json.loads(data) if data else {}
        if stored.get("format") == _FORMAT:
            found._since = stored["since"]
            for name, values in stored["sessions"].items():
                found._sessions[name] = _from_json(values)
        return found


def _unknown() -> Session:
    return Session(setting=UNKNOWN, is_in_transaction=None)


def _began(session_id: str) -> int | None:
    """When a session began, in seconds since 1970: its identity begins with that."""
    match = _SESSION_ID.fullmatch(session_id)
    return int(match[1], 16) if match else None


_DEFAULTS = asdict(Session())
_SETTINGS = ("setting", "after_commit", "after_rollback")


def _as_json(session: Session) -> dict[str, Any]:
    return {name: value for name, value in asdict(session).items() if value != _DEFAULTS[name]}


def _from_json(values: dict[str, Any]) -> Session:
    lists = {name: tuple(values[name]) for name in (*_SETTINGS, "told") if values.get(name) is not None}
    return Session(**{**values, **lists})
