"""The golden cases: statements, and the elements that each uses, as files that people can read."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from ingest.meaning.direct import Use

CASES = Path(__file__).parent / "cases"
SCHEMA = (CASES / "schema.sql").read_text()
PATH = ("app", "public")


@dataclass(frozen=True)
class Case:
    """One case; `since` is the first server that knows the syntax, `not_run` why no server is asked."""

    id: str
    sql: str
    uses: tuple[str, ...]
    path: tuple[str, ...] | None = PATH
    since: int = 15
    not_run: str | None = None
    alone: bool = False


def cases() -> Iterator[Case]:
    """All cases of all files, named by file and number."""
    for file in sorted(CASES.glob("*.yaml")):
        for number, case in enumerate(yaml.safe_load(file.read_text()), 1):
            path = case.get("path", PATH)
            yield Case(
                f"{file.stem}-{number}",
                case["sql"].strip(),
                tuple(case["uses"]),
                tuple(path) if path is not None else None,
                case.get("since", 15),
                case.get("not_run"),
                case.get("alone", False),
            )


def shown(use: Use) -> str:
    """A use as the files write it: operation, element, and its marks."""
    marks = " implicit" * use.implicit + " ambiguous" * use.ambiguous + (f" via {use.via}" if use.via else "")
    return f"{use.operation} {use.element}{marks}"
