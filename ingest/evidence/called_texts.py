"""What a text of pg_stat_statements may have used, as far as one snapshot can tell.

Each run of `collect` has thousands of texts to look at, and nearly all have nothing to do with the attic. So
a text is looked into only where a name in it can lead there; of the others the outline tells what they hide.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from typing import Any

from catalog.attic import AtticEntry
from catalog.closure import mentions
from catalog.database import OWN_NOTE
from catalog.elements import Element, Kind
from catalog.objects import KINDS_OF_RELATIONS, TABLE_KINDS
from catalog.snapshot import Snapshot
from catalog.words import is_word, words
from ingest.evidence.caches import Cache
from ingest.evidence.cases import Cases, Setting
from ingest.evidence.meanings import Meaning, Meanings
from ingest.evidence.statements import Statements
from ingest.grammar.normalise import with_values
from ingest.grammar.outline import outline
from ingest.grammar.parse import references
from ingest.grammar.paths import Path, default_path
from ingest.grammar.planned import Planned, planned
from ingest.grammar.references import Name, References
from ingest.meaning.leads import Leads
from ingest.meaning.resolve import Use, resolve, tables_named
from ingest.meaning.world import History

# What pgattic does to an element besides: none of it is a use, whoever of its roles does it.
_OWN = re.compile(
    r"\s*(?:COMMENT\s+ON|GRANT|REVOKE|ALTER\s[^;]*\s(?:RENAME|TRIGGER)|CREATE\s+(?:OR\s+REPLACE\s+)?(?:TRIGGER|VIEW)"
    r"|DROP\s+(?:TRIGGER|VIEW)|LOCK\s+TABLE\s[^;]*\sIN\s+ACCESS\s+SHARE\s+MODE"
    # pg_dump reads sequences so.
    r"|SELECT\s+last_value,\s+is_called\s+FROM)\b[^;]*;?\s*",
    re.IGNORECASE,
)
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

_Relations = Collection[tuple[Name, bool]]


class Texts:
    """What texts mean in one snapshot.

    `kept` are meanings from looks before. `is_thorough` looks into every text, to the same end.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        statements: Statements,
        kept: Meanings | None = None,
        *,
        is_thorough: bool = False,
    ) -> None:
        self._snapshot = snapshot
        self._statements = statements
        self._kept = kept
        self._is_thorough = is_thorough
        self._what_is_there = _what_is_there(snapshot)
        self._history = History(snapshot)
        self._cases = Cases(self._history, statements)
        self._now = self._setting(snapshot.taken_at)
        self._world = self._history.world(snapshot.taken_at)
        self._paths: dict[str, Path | None] = {}
        self._known: Cache[tuple[str, Path | None], Meaning] = Cache(_CACHE_BYTES)
        self._own: Cache[tuple[str, bool], bool] = Cache(_CACHE_BYTES // 8)
        self._attic = {entry.element: entry for entry in snapshot.attic if entry.is_in_attic}
        self._leads = Leads(
            self._world,
            frozenset(self._attic),
            frozenset(entry.object_oid for entry in self._attic.values()),
        )
        self._by_former: dict[str, list[AtticEntry]] = {}
        for entry in self._attic.values():
            former = entry.element.name
            self._by_former.setdefault(former.casefold() if is_word(former) else former, []).append(entry)
        self._unusual = [name for name in self._by_former if not is_word(name)]
        if kept is not None:
            kept.begin(self._what_is_there)

    def is_of(self, snapshot: Snapshot) -> bool:
        """Whether the snapshot says the same."""
        return (
            _what_is_there(snapshot) == self._what_is_there
            and snapshot.search_paths == self._snapshot.search_paths
        )

    def says_new_name(self, text: str, element: Element) -> bool:
        """Whether a text says the deprecated name of an element in the attic: it ran after the rename."""
        entry = self._attic.get(element)
        return entry is not None and mentions(text, entry.deprecated_name)

    def meaning(self, text: str, role: str) -> Meaning:
        """What a text that a role ran may have used."""
        if role not in self._paths:
            self._paths[role] = default_path(self._snapshot, role)
        key = text, self._paths[role]
        return self._known.get(key) or self._known.keep(key, self._find(*key), _OVERHEAD + len(text))

    def is_own(self, text: str, meaning: Meaning) -> bool:
        """Whether a text is what pgattic does, if one of its roles ran it."""
        # It reads the catalog; who uses the attic in that, by a type or a function, is somebody else. What is
        # implicit is how pg_dump reads the values of sequences.
        may_read_system = all(use.implicit and use.via is None for use in meaning.uses)
        key = text, may_read_system
        known = self._own.get(key)
        return self._own.keep(key, self._is_own(*key), _OVERHEAD + len(text)) if known is None else known

    def _is_own(self, text: str, may_read_system: bool) -> bool:
        seen = outline(text) if may_read_system and not self._is_thorough else None
        if seen is not None and self._attic and _reads_system(seen.relations):
            return True
        readable, found = _readable(text)
        if not found.is_parsed:
            return False
        if OWN_NOTE in text or _OWN.fullmatch(self._statements.of(readable).text):
            return True
        plans = planned(readable) if may_read_system else None
        return plans is not None and bool(self._attic) and _reads_system(plans.relations)

    def _find(self, text: str, path: Path | None) -> Meaning:
        if self._kept is None:
            return self._found(text, path)
        known = self._kept.get(text, path)
        if known is None:
            known = self._found(text, path)
            self._kept.keep(text, path, known)
        return known

    def _found(self, text: str, path: Path | None) -> Meaning:
        if not self._attic:
            return self._looked_into(text, path)
        return self._at_a_glance(text, path) or self._looked_into(text, path)

    def _at_a_glance(self, text: str, path: Path | None) -> Meaning | None:
        """What a text means that has no name which can lead to the attic; None where it may have one."""
        found = None if self._is_thorough else outline(text)
        if (
            found is None
            or self._leads.any_of(found.names, found.events)
            or next(self._settings_before(text, path), None) is not None
        ):
            return None

        def uses() -> Sequence[Use] | None:
            # What is nested too deep for Python has an outline all the same.
            named = references(text)
            return resolve(named, self._world, path) if named.is_parsed else None

        may = self._by_label(found.relations, uses)
        return Meaning(may=frozenset(may), is_unknown=self._says_unknown(found.relations, path))

    def _looked_into(self, text: str, path: Path | None) -> Meaning:
        readable, found = _readable(text)
        uses = self._uses(found, replace(self._now, path=path))
        if not found.is_parsed:
            return self._meaning(readable, self._tracked(uses), may_be_anything=True)
        named = {use.element for use in uses}
        former = [
            use
            for setting in self._settings_before(text, path)
            for use in self._uses(found, setting)
            if use.element not in named
        ]
        tracked = self._tracked((*uses, *dict.fromkeys(former)))
        plans = planned(readable)
        if plans is None or not self._attic:
            return self._meaning(readable, tracked)
        may = {*self._by_label(plans.relations, lambda: uses), *self._by_number(found, plans, path)}
        is_unknown = not former and self._says_unknown(plans.relations, path)
        may -= {use.element for use in tracked}
        return self._meaning(readable, tracked, may=frozenset(may), is_unknown=is_unknown)

    def _meaning(self, readable: str, uses: tuple[Use, ...], **may: Any) -> Meaning:
        return Meaning(uses, self._statements.of(readable) if uses else None, **may)

    def _uses(self, found: References, setting: Setting) -> tuple[Use, ...]:
        return tuple(dict.fromkeys(self._cases.used(found, setting)))

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
                    yield replace(setting, path=path)

    def _by_label(self, relations: _Relations, uses: Callable[[], Sequence[Use] | None]) -> Iterator[Element]:
        """What may hide behind aliases and names of relations, where these are all that is known of them."""
        if self._snapshot.server_version < _NAMES_ARE_NUMBERS_UNTIL:
            return
        has_alias = any(has_alias for _, has_alias in relations)
        names = {name for (_, name), alias in relations if not alias}
        hidden = [element for element, name in self._relation_names.items() if has_alias or name in names]
        is_of_columns = any(element.kind is Kind.COLUMN for element in hidden)
        numbers = self._numbers_used(relations, uses) if is_of_columns else None
        for element in hidden:
            number = self._numbers.get(element) if element.kind is Kind.COLUMN else None
            if number is None or numbers is None or number in numbers:
                yield element

    def _numbers_used(
        self, relations: _Relations, uses: Callable[[], Sequence[Use] | None]
    ) -> set[int] | None:
        """The numbers of the columns that a statement uses, or None where they are not known."""
        for name, _ in relations:
            tables = tables_named(name, self._world)
            if not tables or any(table.kind not in TABLE_KINDS for table in tables):
                return None
        used = uses()
        if used is None:
            return None
        columns = {use.element for use in used if use.element.kind is Kind.COLUMN}
        if not columns <= self._numbers.keys():
            return None
        return {self._numbers[element] for element in columns}

    def _by_number(self, statement: References, found: Planned, path: Path | None) -> Iterator[Element]:
        """Columns in the attic that a text may mean by a name that no column has any more."""
        if not self._tables_of_columns:
            return
        for column in statement.columns:
            if column.name in found.outputs or column.name in _SYSTEM_COLUMNS:
                continue
            meant = [tables_named(name, self._world, path) for level in column.levels for name in level]
            tables = [table for tables in meant for table in tables]
            if not all(meant) or any(column.name in table.shown for table in tables):
                continue
            for table in tables:
                yield from self._tables_of_columns.get(table.oid, ())

    def _says_unknown(self, relations: _Relations, path: Path | None) -> bool:
        """Whether a text may mean a relation in the attic by a name that it had before its last one."""
        if self._snapshot.server_version >= _NAMES_ARE_NUMBERS_UNTIL:
            return False
        return any(
            not _is_system(name) and not tables_named(name, self._world, path) for name, _ in relations
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
    def _relation_names(self) -> Mapping[Element, str]:
        """The present name of each relation in the attic, and of that of each column."""
        return {
            element: relation.name
            for element, entry in self._attic.items()
            if element.kind is Kind.COLUMN or element.kind in KINDS_OF_RELATIONS.values()
            if (relation := self._snapshot.relations_by_oid.get(entry.object_oid)) is not None
        }


def _readable(text: str) -> tuple[str, References]:
    """A text as some grammar reads it, and what it refers to; the text itself where none does."""
    first = found = references(text)
    for value in () if found.is_parsed else _VALUES:
        reading = with_values(text, value)
        if reading is not None and (found := references(reading)).is_parsed:
            return reading, found
    return text, first


def _reads_system(relations: _Relations) -> bool:
    """Whether a query reads nothing but the server's own relations: then it hides no use by pgattic."""
    return all(_is_system(name) for name, _ in relations)


def _is_system(name: Name) -> bool:
    schema, relation = name
    if schema is None or relation in _COUNTING:
        return relation.startswith("pg_")
    return schema in _SYSTEM or schema.startswith(("pg_toast", "pg_temp"))


def _what_is_there(snapshot: Snapshot) -> tuple[Any, ...]:
    """All of a snapshot that decides what texts mean under a path: not its time, and no sizes."""
    return (
        [replace(relation, total_bytes=0, estimated_rows=0) for relation in snapshot.relations],
        [replace(index, bytes=0) for index in snapshot.indexes],
        snapshot.constraints, snapshot.enums, snapshot.functions, snapshot.triggers, snapshot.stored_uses,
        snapshot.attic, snapshot.rules, snapshot.calls, snapshot.server_version,
        # For a while after a rollback names mean more.
        History(snapshot).epoch(snapshot.taken_at),
    )  # fmt: skip
