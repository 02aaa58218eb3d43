"""What a real server wrote to its log about one database."""

from collections import defaultdict
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psycopg

from ingest.evidence.languages import MessageKind, line_kind
from ingest.evidence.messages import Message, message_of
from ingest.logs.csvlog import read_records
from tests.fix_server import FreshDatabase
from tests.waiting import until, until_logged

APPLICATION = "billing"


def connect(
    database: FreshDatabase, user: str = "postgres", application: str = APPLICATION, options: str = ""
) -> "psycopg.Connection[Any]":
    """An application's session: its statements are its own, one transaction each."""
    return psycopg.connect(
        database.dsn(user),
        autocommit=True,
        application_name=application,
        options=options,
        prepare_threshold=None,
    )


def rows_of(database: FreshDatabase, applications: Collection[str] = (APPLICATION,)) -> list[dict[str, Any]]:
    """The records of applications' sessions that the server has written up to now, in their order.

    The server has to log failing statements, as it does by default.
    """
    mark = uuid4().hex
    with connect(database, application="mark") as session, suppress(psycopg.errors.DivisionByZero):
        session.execute(f'SELECT 1/0 AS "{mark}"')
    until_logged(database.server, mark)
    rows: list[dict[str, Any]] = []

    def place_of_mark() -> int | None:
        files = sorted(database.server.log_directory.glob("*.csv"))
        reading = read_records(b"".join(path.read_bytes() for path in files))
        assert not reading.rejects
        rows[:] = reading.records.to_pylist()
        # The error comes last: the statement itself may have been logged before it.
        return next((place for place, row in enumerate(rows) if mark.encode() in row["sql"]), None)

    until(lambda: place_of_mark() is not None)
    end = place_of_mark()
    name = database.name.encode()
    wanted = {application.encode() for application in applications}
    return [row for row in rows[:end] if row["database"] == name and row["application"] in wanted]


def decode(value: object) -> str:
    """A test's databases are in UTF-8."""
    return value.decode() if isinstance(value, bytes) else ""


def message(text: str, *, sql: str = "", context: str = "") -> Message:
    """A message of severity LOG that nobody wrote."""
    row = {
        "message": text.encode(),
        "sql": sql.encode(),
        "context": context.encode(),
        "occurred_at": datetime(2026, 11, 22, 12, tzinfo=UTC),
    }
    return message_of(defaultdict(lambda: None, row), MessageKind.OTHER, decode)


@dataclass(frozen=True)
class Told:
    """A record of severity LOG and what it is about; `kind` is None where nobody knows."""

    row: dict[str, Any]
    kind: MessageKind | None
    statement: str
    message: Message


def told(rows: list[dict[str, Any]]) -> list[Told]:
    """What each record of severity LOG is about."""
    found = []
    for row in rows:
        if row["sqlstate"] != b"00000":
            continue
        text = decode(row["message"])
        kind = line_kind(text, sql=decode(row["sql"]), context=decode(row["context"]))
        message = message_of(row, kind[0] if kind else MessageKind.OTHER, decode)
        found.append(Told(row, kind and kind[0], text[kind[1] :] if kind else "", message))
    return found
