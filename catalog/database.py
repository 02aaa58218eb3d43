"""The home of psycopg: one connection with the manners of a guest.

Every session says `application_name=pgattic`, waits for locks only briefly, and reports what the server
refused as one of our errors with its SQLSTATE. Nothing relies on the state of a session, and nothing is left
behind in one: through PgBouncer in transaction mode each transaction may run in another session, which an
application gets next. So timeouts are set within transactions, and every statement runs in one.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, Self

import psycopg
from psycopg import sql
from psycopg.abc import Buffer
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row
from psycopg.types.datetime import TimestamptzLoader
from psycopg.types.json import Jsonb

from catalog.errors import ConnectionFailedError, LockTimeoutError, StatementFailedError

APPLICATION_NAME = "pgattic"
# What it writes into the statements by which it reads users' tables: pg_stat_statements tells no application.
OWN_NOTE = "/* pgattic */"
_LOCK_NOT_AVAILABLE = "55P03"
_DEADLOCK = "40P01"
_NOT_IN_A_TRANSACTION = "25001"
_READ_ONLY = "25006"
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


class _UtcLoader(TimestamptzLoader):
    """Gives times in UTC, whatever the time zone of the session: they are told and kept by the day so."""

    def load(self, data: Buffer) -> datetime:
        return super().load(data).astimezone(UTC)


class Database:
    """One connection; each statement is a transaction, unless `transaction()` puts several in one."""

    def __init__(self, connection: "psycopg.Connection[Row]", where: str, begin: str = "BEGIN") -> None:
        self._connection = connection
        self._begin = begin.encode()
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
                # Of a database in SQL_ASCII there would be bytes in place of text.
                client_encoding="utf8",
                connect_timeout=_CONNECT_TIMEOUT_SECONDS,
                # PgBouncer in transaction mode has no place for prepared statements of one session.
                prepare_threshold=None,
            )
            connection.adapters.register_loader("timestamptz", _UtcLoader)
            is_lossy = connection.execute("SHOW synchronous_commit").fetchone() == {
                "synchronous_commit": "off"
            }
        except psycopg.Error as error:
            raise ConnectionFailedError(
                _first_line(error),
                where=f"connection to {where}",
                todo="Check database.dsn in pgattic.toml, ~/.pgpass and that the server runs",
            ) from error
        # Whoever waited for his turn must see what was done meanwhile, whatever the role's default is.
        begin = (
            f"BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = {int(lock_timeout_ms)};"
            f" SET LOCAL statement_timeout = {int(statement_timeout_ms)}; SET LOCAL datestyle = 'ISO'"
        )
        if is_lossy:
            # What we say is done must survive a crash of the server; who waits for standbys does so still.
            begin += "; SET LOCAL synchronous_commit = local"
        return cls(connection, where, begin)

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

    @cached_property
    def name(self) -> str:
        """The database's name, as the server knows it: a pooler may call it otherwise."""
        return str(self.fetch_value("SELECT current_database()"))

    @cached_property
    def is_pooled(self) -> bool:
        """Whether something like PgBouncer stands between us and the server."""
        # A pooler hands out cancel keys of its own, so the process it names is not the one that answers.
        return bool(self.fetch_value("SELECT pg_backend_pid()") != self._connection.info.backend_pid)

    @property
    def _is_failed(self) -> bool:
        return self._status == TransactionStatus.INERROR

    @property
    def _status(self) -> TransactionStatus:
        return self._connection.info.transaction_status

    def execute(self, statement: str, params: Params | None = None) -> int:
        """Run one statement (or several, without parameters); return how many rows the last one touched."""
        cursor = self._run(statement, params)
        return cursor.rowcount

    def fetch(self, statement: str, params: Params | None = None) -> list[Row]:
        """Run a query; return its rows as dictionaries."""
        cursor = self._run(statement, params)
        with self._errors():
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
        """All or nothing: commit at the end of the block, roll back on any exception.

        Within another one it is a savepoint.
        """
        if self._status != TransactionStatus.IDLE:
            with self._errors(), self._connection.transaction():
                yield
            return
        with self._errors():
            self._connection.execute(self._begin)
            try:
                yield
            except BaseException:
                # On a broken connection there is nothing to roll back, and the first error says more.
                with suppress(psycopg.Error):
                    self._connection.rollback()
                raise
            if self._is_failed:
                # PostgreSQL would answer COMMIT with a silent ROLLBACK where somebody swallowed an error.
                self._connection.rollback()
                raise psycopg.errors.InFailedSqlTransaction("an error was swallowed; nothing was committed")
            self._connection.commit()

    def _run(self, statement: str, params: Params | None) -> "psycopg.Cursor[Row]":
        if self._status != TransactionStatus.IDLE:
            return self._send(statement, params)
        try:
            with self.transaction():
                return self._send(statement, params)
        except StatementFailedError as error:
            # CREATE DATABASE, VACUUM and ALTER SYSTEM refuse to be in a transaction, having done nothing yet.
            if error.sqlstate != _NOT_IN_A_TRANSACTION:
                raise
            return self._send(statement, params)

    def _send(self, statement: str, params: Params | None) -> "psycopg.Cursor[Row]":
        with self._errors():
            return self._connection.cursor().execute(statement.encode(), params)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise self._translated(error) from error

    def _translated(self, error: psycopg.Error) -> StatementFailedError:
        sqlstate = error.sqlstate or ""
        # Of those who wait for each other the server picks one that is to try again.
        if sqlstate in (_LOCK_NOT_AVAILABLE, _DEADLOCK):
            return LockTimeoutError(
                _first_line(error),
                sqlstate=sqlstate,
                where=self.where,
                todo="Nothing was changed; try again when the session that holds the lock has ended",
            )
        todo = "A standby cannot be changed: connect to the primary" if sqlstate == _READ_ONLY else None
        return StatementFailedError(
            f"{_first_line(error)} (SQLSTATE {sqlstate or 'none'})",
            sqlstate=sqlstate,
            where=self.where,
            todo=todo,
        )


def _first_line(error: psycopg.Error) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
