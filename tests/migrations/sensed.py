"""Reading what sensors made a real server log."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from tests.fix_server import FreshDatabase
from tests.waiting import until_logged

_MARKS = count(1)


@dataclass(frozen=True)
class Line:
    """A line of the csvlog, as far as it says who used what."""

    message: str
    query: str
    application: str
    role: str


class Log:
    """The log of a database from now on."""

    def __init__(self, database: FreshDatabase) -> None:
        self._database = database
        self._seen = len(self._lines())

    def new(self, prefix: str = "pgattic sensor: ") -> list[Line]:
        """The lines since the last call that begin so, once the server has written all of them."""
        mark = f"mark {next(_MARKS)} of {self._database.name}"
        self._database.db.execute(f"DO $$ BEGIN RAISE LOG '{mark}'; END $$")
        until_logged(self._database.server, f'"{mark}"')
        lines = self._lines()
        found, self._seen = lines[self._seen :], len(lines)
        return [line for line in found if line.message.startswith(prefix)]

    def said(self) -> list[str]:
        """What sensors said since the last call."""
        return [line.message.removeprefix("pgattic sensor: ") for line in self.new()]

    def _lines(self) -> Sequence[Line]:
        lines = []
        for path in sorted(self._database.server.log_directory.glob("*.csv")):
            with path.open(newline="") as file:
                lines += [
                    Line(row[13], row[19], row[22], row[1])
                    for row in csv.reader(file)
                    if len(row) > 22 and row[2] == self._database.name
                ]
        return lines
