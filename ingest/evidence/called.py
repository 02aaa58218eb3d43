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
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any, NamedTuple

from catalog.attic import AtticEntry
from catalog.closure import mentions
from catalog.database import OWN_NOTE
from catalog.elements import Element, Kind
from catalog.objects import KINDS_OF_RELATIONS, TABLE_KINDS
from catalog.snapshot import Snapshot
from catalog.words import is_word, words
from ingest.evidence.caches import Cache
from ingest.evidence.cases import Cases, Setting
from ingest.evidence.statements import Statement, Statements
from ingest.grammar.normalise import with_values
from ingest.grammar.paths import Path, default_path
from ingest.grammar.planned import Planned, planned
from ingest.grammar.references import Name
from ingest.meaning.resolve import Use, tables_named
from ingest.meaning.world import History

# What pgattic does to an element besides: none of it is a use, whoever of its roles does it.
_OWN = re.compile(
    r"\s*(?:COMMENT\s+ON|GRANT|REVOKE|ALTER\s[^;]*\s(?:RENAME|TRIGGER)|CREATE\s+(?:OR\s+REPLACE\s+)?(?:TRIGGER|VIEW)"
    r"|DROP\s+(?:TRIGGER|VIEW)|LOCK\s+TABLE\s[^;]*\sIN\s+ACCESS\s+SHARE\s+MODE"
    # pg_dump reads sequences so.
    r"|SELECT\s+last_value,\s+is_called\s+FROM)\b[^;]*;?\s*",
    re.IGNORECASE,
)
_RESET = "pg_stat_statements_reset"
_DO = re.compile(r"(?:^|;)\s*DO\b", re.IGNORECASE)
_EXECUTE = re.compile(r"\bEXECUTE\b", re.IGNORECASE)
# What can stand where PostgreSQL's grammar takes no parameter: a constant, a number, the name of a savepoint.
_VALUES = ("'1'", "1", "x")
_SYSTEM = ("pg_catalog", "information_schema", "pgattic")
# Wherever the extension was made.
_COUNTING = ("pg_stat_statements", "pg_stat_statements_info")
_SYSTEM_COLUMNS = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})
_NAMES_ARE_NUMBERS_UNTIL = 180000
_BEFORE = timedelta(milliseconds=1)
_CACHE_BYTES = 24 * 1024 * 1024
_OVERHEAD = 1_000
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


class _Meaning(NamedTuple):
    """What a text may have used: uses of the attic, and what it may hide a use of.

    `is_unknown` where it says names that nothing has, `is_own` where it is what pgattic does, if one of its
    roles ran it.
    """

    statement: Statement
    uses: tuple[Use, ...]
    may: frozenset[Element] = frozenset()
    may_be_anything: bool = False
    is_unknown: bool = False
    is_own: bool = False


@dataclass(frozen=True)
class Called:
    """Rows for STATEMENT_COUNTER and STATEMENT; `has_too_many` unknown names to keep."""

    rows: tuple[dict[str, Any], ...]
    texts: tuple[dict[str, Any], ...]
    has_too_many: bool


@dataclass
class CalledReader:
    """Reads entries against one snapshot; knows texts again from look to look."""

    statements: Statements = field(default_factory=Statements)
    _catalog: "_Catalog | None" = None

    def read(
        self, entries: Iterable[Entry], snapshot: Snapshot, own_roles: Collection[str], *, sees_nested: bool
    ) -> Called:
        """What entries have counted of the attic; `sees_nested` where statements of functions have theirs.

        pgattic's own statements, which its roles run, are left out.
        """
        if self._catalog is None or not self._catalog.is_of(snapshot):
            self._catalog = _Catalog(snapshot, self.statements)
        rows = _Rows(self._catalog)
        for entry in entries:
            if entry.text is None:
                continue
            if _RESET in entry.text:
                # What it took away was counted, and is not known any more.
                rows.add_doubt(None, entry)
            if not entry.is_here:
                continue
            meaning = self._catalog.meaning(entry.text, entry.role)
            if entry.role in own_roles and meaning.is_own:
                continue
            hides = not sees_nested and _DO.search(entry.text) and _EXECUTE.search(entry.text)
            rows.add(entry, meaning, may_be_anything=bool(hides) or meaning.may_be_anything)
        return rows.called()


class _Rows:
    """Adds up what entries say."""

    def __init__(self, catalog: "_Catalog") -> None:
        self._catalog = catalog
        self._uses: dict[tuple[str, str, Use], dict[str, Any]] = {}
        self._may: dict[Element | None, int] = {}
        self._unknown: list[dict[str, Any]] = []
        self._texts: dict[str, str] = {}

    def add(self, entry: Entry, meaning: _Meaning, *, may_be_anything: bool) -> None:
        """What an entry uses, or may use."""
        for use in meaning.uses:
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
                "after_rename": self._catalog.says_new_name(entry.text or "", use.element),
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


class _Catalog:
    """What texts mean in one snapshot."""

    def __init__(self, snapshot: Snapshot, statements: Statements) -> None:
        self._snapshot = snapshot
        self._statements = statements
        self._history = History(snapshot)
        self._cases = Cases(self._history, statements)
        self._now = self._setting(snapshot.taken_at)
        self._world = self._history.world(snapshot.taken_at)
        self._paths: dict[str, Path | None] = {}
        self._known: Cache[tuple[str, Path | None], _Meaning] = Cache(_CACHE_BYTES)
        self._attic = {entry.element: entry for entry in snapshot.attic if entry.is_in_attic}
        self._by_former: dict[str, list[AtticEntry]] = {}
        for entry in self._attic.values():
            former = entry.element.name
            self._by_former.setdefault(former.casefold() if is_word(former) else former, []).append(entry)
        self._unusual = [name for name in self._by_former if not is_word(name)]

    def is_of(self, snapshot: Snapshot) -> bool:
        """Whether the snapshot says the same."""
        return _what_is_there(snapshot) == _what_is_there(self._snapshot)

    def says_new_name(self, text: str, element: Element) -> bool:
        """Whether a text says the deprecated name of an element in the attic: it ran after the rename."""
        entry = self._attic.get(element)
        return entry is not None and mentions(text, entry.deprecated_name)

    def meaning(self, text: str, role: str) -> _Meaning:
        """What a text that a role ran may have used."""
        if role not in self._paths:
            self._paths[role] = default_path(self._snapshot, role)
        key = text, self._paths[role]
        return self._known.get(key) or self._known.keep(key, self._find(*key), _OVERHEAD + len(text))

    def _find(self, text: str, path: Path | None) -> _Meaning:
        statement = self._statement(text)
        uses = self._uses(statement, replace_path(self._now, path))
        if not statement.references.is_parsed:
            return _Meaning(statement, self._tracked(uses), may_be_anything=True)
        is_own = OWN_NOTE in text or _OWN.fullmatch(statement.text) is not None
        named = {use.element for use in uses}
        former = [
            use
            for setting in self._settings_before(text, path)
            for use in self._uses(statement, setting)
            if use.element not in named
        ]
        tracked = self._tracked((*uses, *dict.fromkeys(former)))
        found = planned(self._readable(text))
        if found is None or not self._attic:
            return _Meaning(statement, tracked, is_own=is_own)
        used = {use.element for use in tracked}
        may = {*self._by_label(found, uses), *self._by_number(statement, found, path)} - used
        return _Meaning(
            statement,
            tracked,
            frozenset(may),
            is_unknown=self._says_unknown(found, path, former),
            # What reads the server's own relations alone hides no use by pgattic.
            is_own=is_own or all(_is_system(name) for name, _ in found.relations),
        )

    def _readable(self, text: str) -> str:
        return next((one for one in _readings(text) if self._statements.of(one).references.is_parsed), text)

    def _statement(self, text: str) -> Statement:
        return self._statements.of(self._readable(text))

    def _uses(self, statement: Statement, setting: Setting) -> tuple[Use, ...]:
        return self._cases.ran(statement, setting, proves=False, kept=None).uses

    def _tracked(self, uses: Iterable[Use]) -> tuple[Use, ...]:
        return tuple(use for use in uses if use.element in self._attic)

    def _setting(self, moment: Any) -> Setting:
        # No entry tells what a session had set.
        return Setting(moment, self._history.epoch(moment), None, is_believed=True)

    def _settings_before(self, text: str, path: Path | None) -> Iterator[Setting]:
        """Before each rename whose former name a text says."""
        epochs: set[int] = set()
        said = [name for name in self._unusual if mentions(text, name)]
        for name in (*(words(text) & self._by_former.keys()), *said):
            for entry in self._by_former[name]:
                setting = self._setting(entry.deprecated_at - _BEFORE)
                if setting.epoch not in epochs:
                    epochs.add(setting.epoch)
                    yield replace_path(setting, path)

    def _by_label(self, found: Planned, uses: Sequence[Use]) -> Iterator[Element]:
        """What may hide behind aliases and names of relations, where these are all that is known of them."""
        if self._snapshot.server_version < _NAMES_ARE_NUMBERS_UNTIL:
            return
        has_alias = any(has_alias for _, has_alias in found.relations)
        names = {name for (_, name), alias in found.relations if not alias}
        if not has_alias and self._relation_names.isdisjoint(names):
            return
        numbers = self._numbers_used(found, uses)
        for element in self._attic:
            name = self._relation_name(element)
            if name is None or not (has_alias or name in names):
                continue
            if element.kind is Kind.COLUMN and numbers is not None and self._numbers[element] not in numbers:
                continue
            yield element

    def _numbers_used(self, found: Planned, uses: Sequence[Use]) -> set[int] | None:
        """The numbers of the columns that a statement uses, or None where they are not known."""
        for name, _ in found.relations:
            tables = tables_named(name, self._world)
            if not tables or any(table.kind not in TABLE_KINDS for table in tables):
                return None
        columns = {use.element for use in uses if use.element.kind is Kind.COLUMN}
        if not columns <= self._numbers.keys():
            return None
        return {self._numbers[element] for element in columns}

    def _by_number(self, statement: Statement, found: Planned, path: Path | None) -> Iterator[Element]:
        """Columns in the attic that a text may mean by a name that no column has any more."""
        if not self._tables_of_columns:
            return
        for column in statement.references.columns:
            if column.name in found.outputs or column.name in _SYSTEM_COLUMNS:
                continue
            meant = [tables_named(name, self._world, path) for level in column.levels for name in level]
            tables = [table for tables in meant for table in tables]
            if not all(meant) or any(column.name in table.shown for table in tables):
                continue
            for table in tables:
                yield from self._tables_of_columns.get(table.oid, ())

    def _says_unknown(self, found: Planned, path: Path | None, former: Sequence[Use]) -> bool:
        """Whether a text may mean a relation in the attic by a name that it had before its last one."""
        if self._snapshot.server_version >= _NAMES_ARE_NUMBERS_UNTIL or former:
            return False
        return any(
            not _is_system(name) and not tables_named(name, self._world, path) for name, _ in found.relations
        )

    @cached_property
    def _numbers(self) -> Mapping[Element, int]:
        """The number of every column of a table."""
        return {
            element: column.number
            for relation in self._snapshot.relations
            if relation.kind in TABLE_KINDS
            for column in relation.columns
            if (element := self._world.column_of(relation.oid, column.name)) is not None
        }

    @cached_property
    def _tables_of_columns(self) -> Mapping[int, list[Element]]:
        found: dict[int, list[Element]] = {}
        for element, entry in self._attic.items():
            if element.kind is Kind.COLUMN:
                found.setdefault(entry.object_oid, []).append(element)
        return found

    @cached_property
    def _relation_names(self) -> set[str]:
        return {name for element in self._attic if (name := self._relation_name(element)) is not None}

    def _relation_name(self, element: Element) -> str | None:
        """The present name of a relation in the attic, or of that of a column; None for what is none."""
        if element.kind is not Kind.COLUMN and element.kind not in KINDS_OF_RELATIONS.values():
            return None
        relation = self._snapshot.relations_by_oid.get(self._attic[element].object_oid)
        return relation.name if relation else None


def replace_path(setting: Setting, path: Path | None) -> Setting:
    """The same moment under another path."""
    return Setting(setting.moment, setting.epoch, path, setting.is_believed)


def _readings(text: str) -> Iterator[str]:
    yield text
    for value in _VALUES:
        reading = with_values(text, value)
        if reading is not None:
            yield reading


def _is_system(name: Name) -> bool:
    schema, relation = name
    if schema is None or relation in _COUNTING:
        return relation.startswith("pg_")
    return schema in _SYSTEM or schema.startswith(("pg_toast", "pg_temp"))


def _what_is_there(snapshot: Snapshot) -> tuple[Any, ...]:
    """All of a snapshot but its time."""
    return (
        snapshot.relations, snapshot.indexes, snapshot.constraints, snapshot.enums, snapshot.functions,
        snapshot.triggers, snapshot.stored_uses, snapshot.attic, snapshot.search_paths, snapshot.rules,
        snapshot.calls, snapshot.server_version,
    )  # fmt: skip
