"""What a statement, an error or another line proves to be in use, under one path in one stretch of time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from catalog.elements import Kind
from ingest.evidence.caches import Cache
from ingest.evidence.failures import Failure
from ingest.evidence.messages import Message
from ingest.evidence.missing import missing_uses, via_of
from ingest.evidence.statements import Statement, Statements
from ingest.grammar.paths import Path
from ingest.grammar.references import Effect, References
from ingest.meaning.resolve import Use, path_effects, resolve, tables_named
from ingest.meaning.world import History, World, in_attic_at
from ingest.schemas import Outcome, Source

_CACHE_BYTES = 24 * 1024 * 1024
_OVERHEAD = 500
_PER_USE = 400
# Nothing of the statement was looked at: its transaction had failed before.
_IN_FAILED_TRANSACTION = "25P02"


class Row(NamedTuple):
    """A use as the tables tell it; `is_tracked` where it has rows of its own among the accesses."""

    element: str
    operation: str
    via: str | None
    implicit: bool
    ambiguous: bool
    is_tracked: bool


@dataclass(frozen=True, slots=True)
class Case:
    """What every record of one kind says."""

    uses: tuple[Use, ...]
    rows: tuple[Row, ...]
    outcome: Outcome
    source: Source
    statement: Statement | None
    sqlstate: str | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """When and where: a moment of a stretch of time (`epoch`), and the session's path, None if not known.

    `is_believed` where the path is its role's default: a client may name another when it connects.
    """

    moment: datetime
    epoch: int
    path: Path | None
    is_believed: bool = False


@dataclass
class Cases:
    """Looks into cases against one snapshot, and knows them again."""

    history: History
    statements: Statements
    _known: Cache[tuple[object, ...], Case] = field(default_factory=lambda: Cache(_CACHE_BYTES))
    _effects: Cache[Statement, tuple[Effect, ...]] = field(default_factory=lambda: Cache(_CACHE_BYTES // 8))

    def ran(self, statement: Statement, setting: Setting, *, proves: bool, kept: Statement | None) -> Case:
        """A statement ran, and with it the one that it names, kept by its session.

        `proves` where it is told afterwards: everything that it names is there.
        """
        key = (statement, kept, proves, setting.epoch, setting.path, setting.is_believed)
        known = self._known.get(key)
        if known is not None:
            return known
        found: dict[Use, None] = {}
        world = self.history.world(setting.moment)
        for each in (statement, kept):
            if each is not None:
                found |= dict.fromkeys(self.used(each.references, setting))
                found |= dict.fromkeys(_reappeared(each.references, world) if proves else ())
        shown = kept if kept is not None and not statement.references.relations else statement
        return self._keep(key, self._case(found, setting, Outcome.OK, Source.LOG, shown))

    def failed(
        self,
        failure: Failure,
        setting: Setting,
        *,
        is_told: bool,
        kept: Statement | None,
    ) -> Case:
        """A statement failed; `is_told` where a line of its own has told of its uses already."""
        key = (failure.key, kept, is_told, setting.epoch, setting.path, setting.is_believed)
        known = self._known.get(key) if failure.key else None
        if known is not None:
            return known
        message, statement = failure.message, failure.statement
        uses = dict.fromkeys(self._failed(message, statement, setting, is_told=is_told, kept=kept))
        case = self._case(uses, setting, Outcome.ERROR, Source.ERROR, statement, message.sqlstate)
        return self._keep(key, case) if failure.key else case

    def effects(self, statement: Statement) -> tuple[Effect, ...]:
        """What a statement does to its session, with what functions that it may call do."""
        found = statement.references
        if not found.functions:
            return found.effects
        known = self._effects.get(statement)
        if known is None:
            # What functions do is looked up in the catalog as it is: their bodies have no history.
            world = self.history.world(self.history.snapshot.taken_at)
            effects = (*found.effects, *path_effects(found, world))
            known = self._effects.keep(statement, effects, _OVERHEAD)
        return known

    def told(
        self, uses: Iterable[Use], source: Source, statement: Statement | None, setting: Setting
    ) -> Case:
        """What a line of an audit, a plan or a sensor says."""
        found = tuple(uses)
        key = (found, source, statement, setting.epoch)
        known = self._known.get(key)
        return known or self._keep(key, self._case(found, setting, Outcome.OK, source, statement))

    def adding(self, case: Case, uses: Iterable[Use], setting: Setting) -> Case:
        """The same case with more uses, of what it does not use yet."""
        used = {use.element for use in case.uses}
        more = tuple(use for use in uses if use.element not in used)
        if not more:
            return case
        key = (case.uses, more, case.outcome, case.source, case.statement, case.sqlstate, setting.epoch)
        known = self._known.get(key)
        if known is not None:
            return known
        found = (*case.uses, *more)
        added = self._case(found, setting, case.outcome, case.source, case.statement, case.sqlstate)
        return self._keep(key, added)

    def used(self, found: References, setting: Setting) -> tuple[Use, ...]:
        """What a statement uses, and what of the attic it would use if its path is another than believed.

        No line of a log tells what a client named when it connected (`options`, JDBC's currentSchema).
        """
        world = self.history.world(setting.moment)
        uses = resolve(found, world, setting.path)
        if not setting.is_believed:
            return uses
        used = {use.element for use in uses}
        doubtful = (
            replace(use, ambiguous=True)
            for use in resolve(found, world, None)
            if use.element not in used and (use.element in world.attic or use.element.table in world.attic)
        )
        return (*uses, *doubtful)

    def _failed(
        self,
        message: Message,
        statement: Statement,
        setting: Setting,
        *,
        is_told: bool,
        kept: Statement | None,
    ) -> Iterator[Use]:
        if message.sqlstate == _IN_FAILED_TRANSACTION:
            return
        world = self.history.world(setting.moment)
        missing = missing_uses(message, self.statements, world)
        yield from missing
        proved = {use.element for use in missing}
        if message.inner_sql:
            via = via_of(message)
            inner = self.statements.of(message.inner_sql).references
            for use in self.used(inner, setting):
                if use.element not in proved:
                    yield Use(use.element, use.operation, use.implicit, use.ambiguous, use.via or via)
        if message.sql and not is_told:
            for each in (statement, kept):
                for use in self.used(each.references, setting) if each is not None else ():
                    if use.element not in proved:
                        yield use

    def _case(
        self,
        uses: Iterable[Use],
        setting: Setting,
        outcome: Outcome,
        source: Source,
        statement: Statement | None,
        sqlstate: str | None = None,
    ) -> Case:
        attic = self.history.world(setting.moment).attic
        found = tuple(uses)
        # Right after a rollback the element is still looked for, by those that fail; who succeeds is at home.
        tracked = {
            element
            for element, entry in attic.items()
            if outcome is Outcome.ERROR or in_attic_at(entry, setting.moment)
        }
        rows = tuple(
            Row(str(use.element), use.operation, use.via, use.implicit, use.ambiguous, use.element in tracked)
            for use in found
        )
        return Case(found, rows, outcome, source, statement, sqlstate)

    def _keep(self, key: tuple[object, ...], case: Case) -> Case:
        return self._known.keep(key, case, _OVERHEAD + _PER_USE * len(case.uses))


def _reappeared(found: References, world: World) -> Iterator[Use]:
    """Former names that a successful statement used: something of that name is there again."""
    for use in found.relations:
        if tables_named(use.relation, world):
            continue
        schema, name = use.relation
        for element in world.attic:
            if element.kind is Kind.TABLE and element.name == name and schema in (None, element.schema):
                yield Use(element, use.operation, ambiguous=True)
