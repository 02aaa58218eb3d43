"""Log records that say something about a statement, one by one; most are read many at once (lines.py).

Errors are told by their SQLSTATE, never by their words; lines about statements that went well by the words
of languages.py.
"""

import codecs
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from ingest.evidence.languages import MessageKind as MessageKind  # noqa: PLC0414 asked for by this name everywhere

Decode = Callable[[object], str]

_PORT = re.compile(r":\d+$")
# Where Python's name of an encoding is not PostgreSQL's, in whatever case. Neither knows all of the other's.
_CODECS = {"EUC_CN": "gb2312", "KOI8R": "koi8_r", "KOI8U": "koi8_u"}


@dataclass(frozen=True, slots=True)
class Message:
    """One record about one statement.

    `inner_sql` is the statement within a function that failed. Positions count characters from 1.
    `text` is the record's message, and empty where that tells only the statement; it holds values and goes
    nowhere.
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


def _codec(encoding: str) -> str:
    try:
        return codecs.lookup(_CODECS.get(encoding) or encoding.lower().replace("win", "cp")).name
    except LookupError:
        return "utf-8"


def encoder(encoding: str) -> Callable[[str], bytes]:
    """Writes text in a database's encoding, named as PostgreSQL does; what it lacks is replaced."""
    codec = _codec(encoding)
    return lambda text: text.encode(codec, errors="replace")


def decoder(encoding: str) -> Decode:
    """Reads bytes in a database's encoding, named as PostgreSQL does; what is wrong in them is replaced."""
    codec = _codec(encoding)

    def decode(value: object) -> str:
        return value.decode(codec, errors="replace") if isinstance(value, bytes) else ""

    return decode


def without_port(client: str) -> str:
    """The host of a client."""
    return _PORT.sub("", client)


def message_of(row: Mapping[str, object], kind: MessageKind, decode: Decode) -> Message:
    """The message of one row of RECORD."""
    occurred_at, position, inner_position = row["occurred_at"], row["position"], row["inner_position"]
    assert isinstance(occurred_at, datetime)
    return Message(
        kind=kind,
        occurred_at=occurred_at,
        sql=decode(row["sql"]),
        sqlstate=decode(row["sqlstate"]),
        position=position if isinstance(position, int) else None,
        inner_sql=decode(row["inner_sql"]),
        inner_position=inner_position if isinstance(inner_position, int) else None,
        context=decode(row["context"]),
        text=decode(row["message"]),
        role=decode(row["role"]),
        database=decode(row["database"]),
        application=decode(row["application"]),
        client=without_port(decode(row["client"])),
    )
