"""The same messages as each of PostgreSQL's log formats tells them."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Message:
    """One message of a session."""

    text: str = "statement: select 1"
    severity: str = "LOG"
    sqlstate: str = "00000"
    detail: str = ""
    context: str = ""
    inner_sql: str = ""
    inner_position: int | None = None
    sql: str = ""
    position: int | None = None
    process: int = 4242
    line: int = 1
    role: str = "ann"
    database: str = "shop"
    application: str = "billing"
    at: datetime = NOON

    @property
    def clock(self) -> str:
        """As %m."""
        return f"{self.at:%Y-%m-%d %H:%M:%S}.{self.at.microsecond // 1000:03} UTC"

    @property
    def session(self) -> str:
        """As %c."""
        return f"{int(NOON.timestamp()):x}.{self.process:x}"


def error(sql: str = "select * from gone", **more: object) -> Message:
    """A statement that failed for want of a table."""
    return Message(
        'relation "gone" does not exist',
        "ERROR",
        "42P01",
        sql=sql,
        position=15,
        **more,  # type: ignore[arg-type]
    )


def after(milliseconds: int) -> datetime:
    """So long after noon."""
    return NOON + timedelta(milliseconds=milliseconds)


def csv(message: Message) -> bytes:
    """One csvlog record."""
    fields: list[str | int | None] = [
        message.clock, _quoted(message.role), _quoted(message.database), message.process,
        _quoted("10.0.0.7:34862"), message.session, message.line, _quoted("SELECT"),
        f"{NOON:%Y-%m-%d %H:%M:%S} UTC", "54/3", 0, message.severity, message.sqlstate, _quoted(message.text),
        _quoted(message.detail), "", _quoted(message.inner_sql), message.inner_position,
        _quoted(message.context), _quoted(message.sql), message.position, "", _quoted(message.application),
        _quoted("client backend"), "", 0,
    ]  # fmt: skip
    return ",".join("" if each is None else str(each) for each in fields).encode() + b"\n"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if text else ""


def jsonline(message: Message) -> bytes:
    """One jsonlog line: what is empty is left out."""
    keys = {
        "timestamp": message.clock,
        "user": message.role,
        "dbname": message.database,
        "pid": message.process,
        "remote_host": "10.0.0.7",
        "remote_port": 34862,
        "session_id": message.session,
        "line_num": message.line,
        "ps": "SELECT",
        "error_severity": message.severity,
        "state_code": message.sqlstate if message.sqlstate != "00000" else None,
        "message": message.text,
        "detail": message.detail,
        "internal_query": message.inner_sql,
        "internal_position": message.inner_position,
        "context": message.context,
        "statement": message.sql,
        "cursor_position": message.position,
        "application_name": message.application,
        "backend_type": "client backend",
        "query_id": 0,
    }
    found = {key: value for key, value in keys.items() if value not in ("", None)}
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


FULL_PREFIX = "%m [%p] %q%u@%d %a %r %c %e "


def stderr(message: Message, prefix: str = FULL_PREFIX) -> bytes:
    """The lines of one message of a stderr log, in English."""
    values = {
        "m": message.clock,
        "t": f"{message.at:%Y-%m-%d %H:%M:%S} UTC",
        "n": f"{message.at.timestamp():.3f}",
        "s": f"{NOON:%Y-%m-%d %H:%M:%S} UTC",
        "p": str(message.process),
        "u": message.role,
        "d": message.database,
        "a": message.application,
        "r": "10.0.0.7(34862)",
        "h": "10.0.0.7",
        "c": message.session,
        "e": message.sqlstate,
        "l": str(message.line),
        "q": "",
    }
    head = prefix
    for letter, value in values.items():
        head = head.replace(f"%{letter}", value)
    position = message.inner_position or message.position
    at = f" at character {position}" if position else ""
    parts = [
        (f"{message.severity}:  ", message.text + at),
        ("DETAIL:  ", message.detail),
        ("QUERY:  ", message.inner_sql),
        ("CONTEXT:  ", message.context),
        ("STATEMENT:  ", message.sql),
    ]
    lines = [
        head + label + text.replace("\n", "\n\t") for label, text in parts if text or label == parts[0][0]
    ]
    return "".join(line + "\n" for line in lines).encode()
