"""Problems of an input: each one located, all of them told at once, none of them ignored."""

import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from migrations.errors import InputError

# More than these are counted only: who made ten mistakes made the same one more often.
TOLD = 10

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80
_SHORT.maxlist = _SHORT.maxdict = 3
_SHORT.maxlevel = 2


@dataclass(frozen=True)
class Problem:
    """What is wrong at one place of an input; `source` is the file, or the command line."""

    source: str
    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.source}, {self.place}: {self.what}" if self.place else f"{self.source}: {self.what}"


def shown(value: Any) -> str:
    """A found value, shortened, as JSON would have it as far as that is easy to read."""
    match value:
        case None:
            return "nothing"
        case True | False:
            return str(value).lower()
        case _:
            return _SHORT.repr(value)


def raise_if_any(problems: Sequence[Problem]) -> None:
    """Raise InputError that names the problems, up to ten of them; do nothing where there are none."""
    if not problems:
        return
    if len(problems) == 1:
        raise InputError(problems[0].what, where=_where(problems[0]))
    more = f", the first {TOLD} are" if len(problems) > TOLD else ""
    sources = sorted({problem.source for problem in problems})
    error = InputError(
        f"{len(problems)} things are wrong and no entry was taken{more}:", where=", ".join(sources)
    )
    error.details = tuple(str(problem) for problem in problems[:TOLD])
    raise error


def _where(problem: Problem) -> str:
    return f"{problem.source}, {problem.place}" if problem.place else problem.source
