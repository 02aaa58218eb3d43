"""Runs rollbacks, each in a process of its own that dies by SIGKILL at one statement.

test_kill_rollback.py starts it as `python -m tests.migrations.killed DSN`. For each line on its standard
input (`MIGRATION N`) it forks; the child kills itself at its Nth step: right before a statement is sent,
right after it was carried out, or right after a commit. It answers `killed`, `finished` or `failed`.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from catalog.database import Database, Params
from migrations.rollback import rollback


class MortalDatabase(Database):
    """A database whose process dies at its Nth step."""

    steps_left = 0

    def execute(self, statement: str, params: Params | None = None) -> int:
        self._step()
        result = super().execute(statement, params)
        self._step()
        return result

    def fetch(self, statement: str, params: Params | None = None) -> list[dict[str, Any]]:
        self._step()
        result = super().fetch(statement, params)
        self._step()
        return result

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with super().transaction():
            yield
        self._step()

    def _step(self) -> None:
        self.steps_left -= 1
        if self.steps_left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def work(dsn: str, migration_id: str, step: int) -> None:
    """Do it once, as the command would."""
    with MortalDatabase.connect(dsn) as db:
        db.steps_left = step
        rollback(db, migration_id=migration_id)


def main() -> None:
    """Fork for each line, say how the child ended."""
    for line in sys.stdin:
        migration_id, step = line.split()
        child = os.fork()
        if child == 0:
            work(sys.argv[1], migration_id, int(step))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            answer = "killed"
        else:
            answer = "finished" if os.WEXITSTATUS(status) == 0 else "failed"
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
