"""Runs applies in processes of their own and kills each at a chosen message, as `kill -9` would.

Nothing in the product knows of this: what is wrapped here are the driver's own methods.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import psycopg

from catalog.database import Database
from catalog.reading import read_snapshot
from migrations.apply import apply
from migrations.plan import load_plan

ROOT = Path(__file__).parent.parent.parent


class Dying:
    """One process that imports everything once and forks for each apply; a context manager."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.migrations.dying", self._dsn],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def apply(self, plan_file: Path, at: int, *, sent: bool = False) -> int:
        """Apply a plan and die before its message number `at`; return the exit code, 0 where it ended well.

        With `sent` only COMMITs count, and this one is still sent, but nobody waits for the answer.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([str(plan_file), at, sent]) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def main() -> None:
    """Read orders, fork for each, answer with how it ended."""
    dsn = sys.argv[1]
    with Database.connect(dsn) as db:
        # What is compiled and cached on first use need not be so in every child.
        read_snapshot(db)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _apply(dsn, *json.loads(line))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201 (the answer)


def _apply(dsn: str, plan_file: str, at: int, sent: bool) -> None:
    plan = load_plan(Path(plan_file))
    try:
        with Database.connect(dsn) as db:
            _die_at(at, sent)
            apply(db, plan)
    except BaseException:
        os._exit(1)


def _die_at(at: int, sent: bool) -> None:
    execute, commit = psycopg.Cursor.execute, psycopg.Connection.commit
    messages = 0

    def is_time() -> bool:
        nonlocal messages
        messages += 1
        return messages == at

    def execute_or_die(cursor: Any, statement: Any, *args: Any, **kwargs: Any) -> Any:
        # Before a BEGIN is the same as after what came before it.
        if not sent and not statement.startswith(b"BEGIN") and is_time():
            os.kill(os.getpid(), signal.SIGKILL)
        return execute(cursor, statement, *args, **kwargs)

    def commit_or_die(connection: Any) -> None:
        if is_time():
            if sent:
                connection.pgconn.send_query(b"COMMIT")
                connection.pgconn.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        commit(connection)

    psycopg.Cursor.execute = execute_or_die  # type: ignore[method-assign, assignment]
    psycopg.Connection.commit = commit_or_die  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    main()
