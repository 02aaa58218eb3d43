"""The home of psycopg: one connection with the manners of a guest.

Every session says `application_name=pgattic`, waits for locks only briefly, and reports what the server
refused as one of our errors with its SQLSTATE.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from typing import Any, Self

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from catalog.errors import ConnectionFailedError, LockTimeoutError, StatementFailedError

APPLICATION_NAME = "pgattic"
_LOCK_NOT_AVAILABLE = "55P03"
_CONNECT_TIMEOUT_SECONDS = 10

Params = Mapping[str, Any] | Sequence[Any]
Row = dict[str, Any]
Json = Jsonb


def identifier(*parts: str) -> str:
    """Quote a (dotted) name for SQL, whatever is in it."""
    return sql.Identifier(*parts).as_string()


def literal(value: object) -> str:
    """Quote a value for SQL that goes into a script; statements that run now take parameters instead."""
    return sql.Literal(value).as_string()


@cache
def load_sql(package: str, name: str) -> str:
    """Read `sql/<name>.sql` beside the modules of `package`."""
    return (files(package) / "sql" / f"{name}.sql").read_text()


def describe_target(dsn: str) -> str:
    """Say which server and database a DSN means, without its password."""
    try:
        parts = conninfo_to_dict(dsn)
    except psycopg.Error:
        return "the configured dsn"
    shown = (f"{key}={parts[key]}" for key in ("service", "host", "port", "dbname", "user") if key in parts)
    return " ".join(shown) or "the libpq defaults"


def is_conninfo(dsn: str) -> bool:
    """Whether libpq can read the DSN."""
    try:
        conninfo_to_dict(dsn)
    except psycopg.Error:
        return False
    return True


def has_password(dsn: str) -> bool:
    """Whether a DSN that libpq can read carries a password."""
    return bool(conninfo_to_dict(dsn).get("password"))


class Database:
    """One connection in autocommit mode; use `transaction()` for more than one statement."""

    def __init__(self, connection: "psycopg.Connection[Row]", where: str) -> None:
        self._connection = connection
        self.where = where

    @classmethod
    def connect(
        cls,
        dsn: str,
        *,
        lock_timeout_ms: int = 1000,
        statement_timeout_ms: int = 60_000,
        application_name: str = APPLICATION_NAME,
    ) -> Self:
        """Connect, or raise ConnectionFailedError that says which server did not answer and why."""
        where = describe_target(dsn)
        try:
            connection = psycopg.connect(
                dsn,
                autocommit=True,
                row_factory=dict_row,
                application_name=application_name,
                connect_timeout=_CONNECT_TIMEOUT_SECONDS,
                # PgBouncer in transaction mode has no place for prepared statements of one session.
                prepare_threshold=None,
            )
        except psycopg.Error as error:
            raise ConnectionFailedError(
                _first_line(error),
                where=f"connection to {where}",
                todo="Check database.dsn in pgattic.toml, ~/.pgpass and that the server runs",
            ) from error
        database = cls(connection, where)
        database.execute(f"SET lock_timeout = {int(lock_timeout_ms)}")
        database.execute(f"SET statement_timeout = {int(statement_timeout_ms)}")
        return database

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the session."""
        self._connection.close()

    @property
    def server_version(self) -> int:
        """The server's version as PostgreSQL numbers it: 180006 is 18.6."""
        return self._connection.info.server_version

    @property
    def name(self) -> str:
        """The database's name."""
        return self._connection.info.dbname

    def execute(self, statement: str, params: Params | None = None) -> int:
        """Run one statement; return how many rows it touched."""
        with self._errors(), self._connection.cursor() as cursor:
            cursor.execute(statement.encode(), params)
            return cursor.rowcount

    def fetch(self, statement: str, params: Params | None = None) -> list[Row]:
        """Run a query; return its rows as dictionaries."""
        with self._errors(), self._connection.cursor() as cursor:
            cursor.execute(statement.encode(), params)
            return cursor.fetchall()

    def fetch_one(self, statement: str, params: Params | None = None) -> Row | None:
        """Run a query; return its first row, or None."""
        rows = self.fetch(statement, params)
        return rows[0] if rows else None

    def fetch_value(self, statement: str, params: Params | None = None) -> Any:
        """Run a query; return the first column of its first row, or None."""
        row = self.fetch_one(statement, params)
        return next(iter(row.values())) if row else None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: commit at the end of the block, roll back on any exception."""
        with self._errors(), self._connection.transaction():
            yield

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise self._translated(error) from error

    def _translated(self, error: psycopg.Error) -> StatementFailedError:
        sqlstate = error.sqlstate or ""
        if sqlstate == _LOCK_NOT_AVAILABLE:
            return LockTimeoutError(
                _first_line(error),
                sqlstate=sqlstate,
                where=self.where,
                todo="Nothing was changed; try again when the session that holds the lock has ended",
            )
        return StatementFailedError(
            f"{_first_line(error)} (SQLSTATE {sqlstate or 'none'})", sqlstate=sqlstate, where=self.where
        )


def _first_line(error: psycopg.Error) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
