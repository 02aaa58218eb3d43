"""From log records to evidence rows: who used which element, and how often."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa

from catalog.elements import Kind
from ingest.messages import Message, MessageKind, count_once, messages_of
from ingest.missing import missing_uses, via_of
from ingest.references import References
from ingest.resolve import Use, resolve, tables_named
from ingest.schemas import ACCESS, STATEMENT, USAGE_HOURLY, Outcome, Source
from ingest.statements import Statement, Statements
from ingest.world import History, World

# Nothing of the statement was looked at: its transaction had failed before.
_IN_FAILED_TRANSACTION = "25P02"


@dataclass(frozen=True, slots=True)
class Observed:
    """One use and the record that told of it."""

    use: Use
    outcome: Outcome
    source: Source
    message: Message
    statement: Statement


@dataclass(frozen=True, slots=True)
class EvidenceRows:
    """What one batch of records says, as rows of three tables."""

    access: pa.Table
    usage_hourly: pa.Table
    statement: pa.Table


@dataclass
class Reader:
    """Reads records against one snapshot; keeps what it learned about statements between batches."""

    history: History
    statements: Statements = field(default_factory=Statements)
    _resolved: dict[tuple[str, int], tuple[Use, ...]] = field(default_factory=dict)

    def observe(self, records: pa.Table) -> list[Observed]:
        """The uses that a table of RECORD tells of, in its order."""
        messages = messages_of(records, self.history.snapshot.database)
        before: dict[str, str] = {}
        found: list[Observed] = []
        for message in count_once(messages):
            if message.kind is MessageKind.ERROR:
                # With log_statement on, the statement's own line has counted the use already.
                found += self._failed(message, is_told=before.get(message.session_id) == message.sql)
            else:
                found += self._ran(message)
            before[message.session_id] = message.sql
        return found

    def _ran(self, message: Message) -> Iterator[Observed]:
        statement = self.statements.of(message.sql)
        world = self.history.world(message.occurred_at)
        uses: Iterable[Use] = self._uses(statement, message.occurred_at)
        if message.kind is MessageKind.DURATION:
            uses = (*uses, *_reappeared(statement.references, world))
        for use in uses:
            yield Observed(use, Outcome.OK, Source.LOG, message, statement)

    def _failed(self, message: Message, *, is_told: bool) -> Iterator[Observed]:
        if message.sqlstate == _IN_FAILED_TRANSACTION:
            return
        statement = self.statements.of(message.sql or message.inner_sql)
        world = self.history.world(message.occurred_at)
        uses = dict.fromkeys(missing_uses(message, self.statements, world))
        proved = {use.element for use in uses}
        if message.inner_sql:
            via = via_of(message)
            inner = self._uses(self.statements.of(message.inner_sql), message.occurred_at)
            uses |= {_through(use, via): None for use in inner if use.element not in proved}
        if message.sql and not is_told:
            outer = self._uses(statement, message.occurred_at)
            uses |= {use: None for use in outer if use.element not in proved}
        for use in uses:
            yield Observed(use, Outcome.ERROR, Source.ERROR, message, statement)

    def _uses(self, statement: Statement, moment: datetime) -> tuple[Use, ...]:
        key = statement.statement_id, self.history.epoch(moment)
        if key not in self._resolved:
            self._resolved[key] = resolve(statement.references, self.history.world(moment))
        return self._resolved[key]


def _through(use: Use, via: str | None) -> Use:
    return Use(use.element, use.operation, use.implicit, use.ambiguous, use.via or via)


def _reappeared(found: References, world: World) -> Iterator[Use]:
    """Former names that a successful statement used: something of that name is there again."""
    for use in found.relations:
        if tables_named(use.relation, world):
            continue
        schema, name = use.relation
        for element in world.attic:
            if element.kind is Kind.TABLE and element.name == name and schema in (None, element.schema):
                yield Use(element, use.operation, ambiguous=True)


def evidence_rows(
    observed: Iterable[Observed], history: History, *, node: str, origin: str, known: set[str]
) -> EvidenceRows:
    """The rows of a batch; statements that are not in `known` yet get a row and are added to it."""
    accesses: list[dict[str, Any]] = []
    counts: dict[tuple[Any, ...], dict[str, Any]] = {}
    statements: list[dict[str, Any]] = []
    for each in observed:
        if each.use.element in history.world(each.message.occurred_at).attic:
            accesses.append(_access(each, node, origin))
        _count(counts, each, node)
        if each.statement.statement_id not in known:
            known.add(each.statement.statement_id)
            statements.append(_statement(each))
    return EvidenceRows(
        pa.Table.from_pylist(accesses, schema=ACCESS),
        pa.Table.from_pylist(list(counts.values()), schema=USAGE_HOURLY),
        pa.Table.from_pylist(statements, schema=STATEMENT),
    )


def _access(each: Observed, node: str, origin: str) -> dict[str, Any]:
    message, use = each.message, each.use
    return {
        "occurred_at": message.occurred_at,
        "node": node,
        "element": str(use.element),
        "operation": use.operation,
        "outcome": each.outcome,
        "source": each.source,
        "via": use.via,
        "implicit": use.implicit,
        "ambiguous": use.ambiguous,
        "sqlstate": message.sqlstate if each.outcome is Outcome.ERROR else None,
        "role": message.role,
        "database": message.database,
        "application": message.application,
        "client": message.client,
        "statement_id": each.statement.statement_id,
        "session_id": message.session_id,
        "session_line": message.session_line,
        "origin": origin,
        "log_offset": message.log_offset,
        "day": message.occurred_at.date(),
    }


def _count(counts: dict[tuple[Any, ...], dict[str, Any]], each: Observed, node: str) -> None:
    message, use = each.message, each.use
    row = {
        "hour": message.occurred_at.replace(minute=0, second=0, microsecond=0),
        "node": node,
        "element": str(use.element),
        "operation": use.operation,
        "outcome": each.outcome,
        "source": each.source,
        "implicit": use.implicit,
        "ambiguous": use.ambiguous,
        "role": message.role,
        "database": message.database,
        "application": message.application,
        "statement_id": each.statement.statement_id,
    }
    key = tuple(row.values())
    found = counts.get(key)
    if found is None:
        moment = message.occurred_at
        counts[key] = row | {"uses": 1, "first_at": moment, "last_at": moment, "day": moment.date()}
        return
    found["uses"] += 1
    found["first_at"] = min(found["first_at"], message.occurred_at)
    found["last_at"] = max(found["last_at"], message.occurred_at)


def _statement(each: Observed) -> dict[str, Any]:
    return {
        "statement_id": each.statement.statement_id,
        "text": each.statement.text,
        "is_parsed": each.statement.references.is_parsed,
        "first_seen_at": each.message.occurred_at,
        "day": each.message.occurred_at.date(),
    }
