"""Log records that say something about a statement, and what each says.

Errors are told by their SQLSTATE, never by their words. The lines about successful statements begin with
`statement: `, `execute …: ` or `duration: ` where the server speaks English (coverage.py minds that).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import pyarrow as pa
import pyarrow.compute as pc

from catalog.database import APPLICATION_NAME


class MessageKind(StrEnum):
    """What a record says about its statement."""

    STATEMENT = "statement"  # will be parsed and run now
    EXECUTE = "execute"  # was parsed, runs now
    PREPARE = "prepare"  # was parsed or bound; an execute may follow
    DURATION = "duration"  # has succeeded
    ERROR = "error"  # has failed


@dataclass(frozen=True, slots=True)
class Message:
    """One record about one statement.

    `inner_sql` is the statement within a function that failed. Positions count characters from 1.
    `text` is the server's message of an error; it holds values and goes nowhere.
    """

    kind: MessageKind
    occurred_at: datetime
    sql: str
    sqlstate: str
    position: int | None
    inner_sql: str
    inner_position: int | None
    context: str
    text: str
    role: str
    database: str
    application: str
    client: str
    session_id: str
    session_line: int
    log_offset: int


_SUCCESS_CLASSES = r"^0[012]"
_STATEMENT_LINE = r"^(statement: |execute [^:]*: |duration: [0-9.]+ ms  )"
_LINE = re.compile(
    r"(?P<statement>statement): |(?P<execute>execute) [^:]*: "
    r"|duration: [0-9.]+ ms  "
    r"(?:(?P<duration>statement): |(?P<ran>execute) [^:]*: |(?P<prepare>parse|bind) [^:]*: )"
)
_LINE_KINDS = {
    "statement": MessageKind.STATEMENT,
    "execute": MessageKind.EXECUTE,
    "duration": MessageKind.DURATION,
    "ran": MessageKind.DURATION,
    "prepare": MessageKind.PREPARE,
}
# `EXECUTE q(7)` names nothing; the statement that it runs stands in the detail.
_PREPARED = "prepare: "
_PORT = re.compile(r":\d+$")


def messages_of(records: pa.Table, database: str) -> list[Message]:
    """The records that tell of a use in one database, in order; pgattic's own sessions are left out."""
    is_error = pc.invert(pc.match_substring_regex(records["sqlstate"], _SUCCESS_CLASSES))
    is_line = pc.match_substring_regex(records["message"], _STATEMENT_LINE)
    is_ours = pc.equal(records["application"], pa.scalar(APPLICATION_NAME.encode(), pa.binary()))
    is_here = pc.equal(records["database"], pa.scalar(database.encode(), pa.binary()))
    wanted = pc.and_(pc.and_(pc.or_(is_error, is_line), is_here), pc.invert(is_ours))
    found = (_message(row) for row in records.filter(wanted).to_pylist())
    return [message for message in found if message is not None]


def count_once(messages: Iterable[Message]) -> list[Message]:
    """Leave out the lines that tell again what another line of the same session tells.

    A parse or bind line counts only where no execute of the same statement follows it.
    """
    kept: dict[int, Message] = {}
    waiting: dict[str, int] = {}
    for place, message in enumerate(messages):
        before = waiting.pop(message.session_id, None)
        if before is not None and kept[before].sql == message.sql:
            del kept[before]
        if message.kind is MessageKind.PREPARE:
            waiting[message.session_id] = place
        kept[place] = message
    return list(kept.values())


def _message(row: dict[str, object]) -> Message | None:
    message = _decoded(row["message"])
    sqlstate = _decoded(row["sqlstate"])
    kind, sql = MessageKind.ERROR, _decoded(row["sql"])
    if sqlstate[:2] in ("00", "01", "02"):
        match = _LINE.match(message)
        if match is None:
            return None
        kind, sql = _LINE_KINDS[str(match.lastgroup)], message[match.end() :]
        detail = _decoded(row["detail"])
        if kind is not MessageKind.PREPARE and detail.startswith(_PREPARED):
            sql = detail.removeprefix(_PREPARED)
    occurred_at, position, inner_position = row["occurred_at"], row["position"], row["inner_position"]
    session_line, log_offset = row["session_line"], row["log_offset"]
    assert isinstance(occurred_at, datetime)
    assert isinstance(log_offset, int)
    return Message(
        kind=kind,
        occurred_at=occurred_at,
        sql=sql,
        sqlstate=sqlstate,
        position=position if isinstance(position, int) else None,
        inner_sql=_decoded(row["inner_sql"]),
        inner_position=inner_position if isinstance(inner_position, int) else None,
        context=_decoded(row["context"]),
        text=message if kind is MessageKind.ERROR else "",
        role=_decoded(row["role"]),
        database=_decoded(row["database"]),
        application=_decoded(row["application"]),
        client=_PORT.sub("", _decoded(row["client"])),
        session_id=_decoded(row["session_id"]),
        session_line=session_line if isinstance(session_line, int) else 0,
        log_offset=log_offset,
    )


def _decoded(value: object) -> str:
    # Bytes come in the encoding of each record's database, which the log does not tell.
    return value.decode(errors="replace") if isinstance(value, bytes) else ""
