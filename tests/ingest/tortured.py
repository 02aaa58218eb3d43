"""A program for test_torture: kills ingest again and again while its log is written, rotated and compressed.

Prints what it has written, so that the tables can be held against a count that no code of ours has made.
Importing costs more than a run, so the ingesters are forks of one process that has imported and recognised
everything, and has not touched deltalake, whose threads do not survive a fork.
"""

import gzip
import json
import os
import random
import shutil
import signal
import sys
import time
from datetime import timedelta
from pathlib import Path

from ingest.errors import AlreadyRunningError
from ingest.evidence.accesses import Reader
from ingest.lock import exclusive
from ingest.logs.csvlog import CSVLOG
from ingest.logs.formats import recognise
from ingest.meaning.world import History
from ingest.running import follow
from tests.ingest.fix_ingest import NOON, Workplace, missing, record, shop
from tests.ingest.test_pipeline import an_alert_each
from tests.waiting import PATIENCE_SECONDS

# How long a commit is waited for until more is written: perhaps all was committed already.
_A_WHILE_SECONDS = 3.0


class Log:
    """Writes a log as a server and its log rotation do; `written` counts the whole records."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self._folder = folder
        self._chance = chance
        self._current = folder / "pg.csv"
        self._torn = b""
        self._rotated = 0
        self.uses = 0
        self.statements = 0

    def write(self) -> None:
        """Write some records, perhaps only a part of the last one, or rotate."""
        new = b"".join(self._record() for _ in range(self._chance.randint(1, 12)))
        buffer = self._torn + new
        keep = self._chance.randrange(len(new)) if self._chance.random() < 0.5 else 0
        with self._current.open("ab") as file:
            file.write(buffer[: len(buffer) - keep])
        self._torn = buffer[len(buffer) - keep :]
        if self._chance.random() < 0.04:
            self._rotate()

    def end(self) -> None:
        """Write what is still missing."""
        with self._current.open("ab") as file:
            file.write(self._torn)
        self._torn = b""

    def _record(self) -> bytes:
        number = self.uses + self.statements
        at = NOON + timedelta(milliseconds=number)
        if self._chance.random() < 0.5:
            self.uses += 1
            sql = f"select '{'x' * self._chance.randrange(900)}', {number} from users_old"
            return missing("users_old", sql, at=at, line=number + 1)
        self.statements += 1
        return record(f"statement: select id from users where id = {number}", at=at, line=number + 1)

    def _rotate(self) -> None:
        self.end()
        self._rotated += 1
        rotated = self._folder / f"pg-{self._rotated:04}.csv"
        if self._chance.random() < 0.3:
            shutil.copyfile(self._current, rotated)
            os.truncate(self._current, 0)
        else:
            self._current.rename(rotated)
        if self._chance.random() < 0.5:
            with rotated.open("rb") as plain, gzip.open(f"{rotated}.gz", "wb") as packed:
                shutil.copyfileobj(plain, packed)
            rotated.unlink()


def commits(home: Path) -> int:
    """How many commits the tables have seen, of all of them together."""
    return sum(1 for _ in home.glob("data/*/_delta_log/*.json"))


def ingest_for_ever(home: Path) -> None:
    """What is killed."""
    place = Workplace(
        home / "log", home / "data", alerting=an_alert_each, batch_bytes=8000, commit_bytes=20_000
    )

    def wait() -> bool:
        time.sleep(0.002)
        return True

    try:
        with exclusive(place.data):
            for _ in follow(place.pipeline(), wait):
                pass
    except AlreadyRunningError:
        os._exit(3)


def main(home: Path, kills: int, seed: int) -> None:
    """Kill that many ingesters, at moments that the seed tells."""
    chance = random.Random(seed)
    log = Log(home / "log", chance)
    log.write()
    # Expressions are compiled and a first statement is parsed here, once for all.
    sample = missing("users_old", "select 1 from users_old") + record("statement: select id from users")
    recognise(sample, None)
    Reader(History(shop())).rows(CSVLOG.read(sample).records, node="n", origin="o", known=set())
    ended: dict[str, int] = {}
    done = after_a_commit = 0
    while done < kills:
        children = []
        for _ in range(2 if chance.random() < 0.1 else 1):
            child = os.fork()
            if child == 0:
                try:
                    ingest_for_ever(home)
                finally:
                    os._exit(4)
            children.append(child)
        # Every other round ends soon after a commit: most moments of an ingester are its start.
        before = commits(home)
        is_aimed = chance.random() < 0.6
        end = time.monotonic() + chance.uniform(0.02, 0.2 if is_aimed else 0.4)
        while time.monotonic() < end:
            log.write()
            # So slowly that ingesters keep up with it, also where two cores are busy.
            time.sleep(chance.uniform(0, 0.05))
        if is_aimed:
            end = time.monotonic() + PATIENCE_SECONDS
            more = time.monotonic() + _A_WHILE_SECONDS
            while time.monotonic() < end and commits(home) <= before:
                time.sleep(0.002)
                if time.monotonic() > more:
                    log.write()
                    more = time.monotonic() + _A_WHILE_SECONDS
            time.sleep(chance.uniform(0, 0.06))
        after_a_commit += commits(home) > before
        for child in children:
            os.kill(child, signal.SIGKILL)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            ended[str(code)] = ended.get(str(code), 0) + 1
            done += code == -signal.SIGKILL
    log.end()
    sys.stdout.write(
        json.dumps({"uses": log.uses, "statements": log.statements, "ended": ended, "after": after_a_commit})
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
