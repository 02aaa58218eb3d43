"""From the calls that pg_stat_statements has counted to uses of elements in the attic.

A text is looked into as one that a log tells, by the same `Cases`. But a log tells the text of each
statement, and pg_stat_statements one text for all that it takes for the same, the first one that it met:

* A column, a type, and before PostgreSQL 18 a relation is known again by its number. So the text may say the
  name that something had before a rename, and calls under that name go on being counted after it.
* From PostgreSQL 18 on a relation is known again by its name alone, without the schema, or by its alias. So
  what a text says of `users u` may have been done to any relation that was called `u`.

So it is told, too, what may hide behind a text: its calls are no use that was seen, and no proof of none.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from catalog.elements import Element
from catalog.snapshot import Snapshot
from ingest.evidence.called_texts import Texts
from ingest.evidence.meanings import Meaning, Meanings
from ingest.evidence.statements import Statement, Statements
from ingest.meaning.resolve import Use

_NOTHING = Meaning()
_RESET = "pg_stat_statements_reset"
_DO = re.compile(r"(?:^|;)\s*DO\b", re.IGNORECASE)
_EXECUTE = re.compile(r"\bEXECUTE\b", re.IGNORECASE)
# Who uses temporary tables makes many entries of unknown names; each of them needs a row.
_MOST_UNKNOWN = 1_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of pg_stat_statements; `is_here` where it is of the database that is looked at.

    `text` is None where it may not be read.
    """

    number: int
    is_top: bool
    role: str
    is_here: bool
    text: str | None
    calls: int
    rows: int
    total_ms: float


@dataclass(frozen=True)
class Called:
    """Rows for STATEMENT_COUNTER and STATEMENT; `has_too_many` unknown names to keep."""

    rows: tuple[dict[str, Any], ...]
    texts: tuple[dict[str, Any], ...]
    has_too_many: bool


@dataclass
class CalledReader:
    """Reads entries against one snapshot; knows texts again from look to look.

    `kept` are meanings from processes before. `is_thorough` looks into every text, to the same end.
    """

    statements: Statements = field(default_factory=Statements)
    kept: Meanings | None = None
    is_thorough: bool = False
    _texts: Texts | None = None

    def read(
        self, entries: Iterable[Entry], snapshot: Snapshot, own_roles: Collection[str], *, sees_nested: bool
    ) -> Called:
        """What entries have counted of the attic; `sees_nested` where statements of functions have theirs.

        pgattic's own statements, which its roles run, are left out.
        """
        if self._texts is None or not self._texts.is_of(snapshot):
            self._texts = Texts(snapshot, self.statements, self.kept, is_thorough=self.is_thorough)
        rows = _Rows(self._texts)
        for entry in entries:
            if entry.text is None:
                continue
            if _RESET in entry.text:
                # What it took away was counted, and is not known any more.
                rows.add_doubt(None, entry)
            if not entry.is_here:
                continue
            meaning = self._texts.meaning(entry.text, entry.role)
            hides = not sees_nested and _DO.search(entry.text) and _EXECUTE.search(entry.text)
            may_be_anything = bool(hides) or meaning.may_be_anything
            if meaning == _NOTHING and not may_be_anything:
                continue
            if entry.role in own_roles and self._texts.is_own(entry.text, meaning):
                continue
            rows.add(entry, meaning, may_be_anything=may_be_anything)
        return rows.called()


class _Rows:
    """Adds up what entries say."""

    def __init__(self, texts_known: Texts) -> None:
        self._texts_known = texts_known
        self._uses: dict[tuple[str, str, Use], dict[str, Any]] = {}
        self._may: dict[Element | None, int] = {}
        self._unknown: list[dict[str, Any]] = []
        self._texts: dict[str, str] = {}

    def add(self, entry: Entry, meaning: Meaning, *, may_be_anything: bool) -> None:
        """What an entry uses, or may use."""
        for use in meaning.uses:
            assert meaning.statement is not None
            self._use(entry, meaning.statement, use)
        for element in (*meaning.may, *([None] if may_be_anything else [])):
            self.add_doubt(element, entry)
        if meaning.is_unknown and not may_be_anything:
            number = f"{entry.number}{'' if entry.is_top else ' nested'}"
            self._unknown.append(_row(None, calls=entry.calls) | {"statement_id": number, "role": entry.role})

    def add_doubt(self, element: Element | None, entry: Entry) -> None:
        """An entry may have used an element, or anything."""
        self._may[element] = self._may.get(element, 0) + entry.calls

    def _use(self, entry: Entry, statement: Statement, use: Use) -> None:
        key = statement.statement_id, entry.role, use
        row = self._uses.get(key)
        if row is None:
            row = self._uses[key] = _row(use.element) | {
                "statement_id": statement.statement_id,
                "role": entry.role,
                "operation": use.operation.value,
                "via": use.via,
                "implicit": use.implicit,
                "ambiguous": use.ambiguous,
                "after_rename": self._texts_known.says_new_name(entry.text or "", use.element),
            }
            if statement.references.is_parsed and not _DO.search(statement.text):
                # A block's text is a constant, and what cannot be read may be one.
                self._texts[statement.statement_id] = statement.text
        row["calls"] += entry.calls
        row["rows"] += entry.rows
        row["total_ms"] += entry.total_ms

    def called(self) -> Called:
        """All of it."""
        may = (_row(element, calls=calls) for element, calls in self._may.items())
        has_too_many = len(self._unknown) > _MOST_UNKNOWN
        unknown = [] if has_too_many else self._unknown
        return Called(
            (*self._uses.values(), *may, *unknown),
            tuple(
                {"statement_id": key, "text": text, "is_parsed": True} for key, text in self._texts.items()
            ),
            has_too_many,
        )


def _row(element: Element | None, calls: int = 0) -> dict[str, Any]:
    return {
        "element": None if element is None else str(element),
        "statement_id": None,
        "role": None,
        "operation": None,
        "via": None,
        "implicit": False,
        "ambiguous": True,
        "after_rename": False,
        "calls": calls,
        "rows": 0,
        "total_ms": 0.0,
    }
