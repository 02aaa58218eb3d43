"""What a line of pgaudit proves to be in use: the object that it names, and what its statement says of it.

    AUDIT: OBJECT,<statement>,<part>,READ,SELECT,TABLE,app.orders,<statement text>,<parameters>[,<rows>]

The fields are CSV: a text with commas, quotes or newlines is quoted. Parameters and rows are not looked at.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from catalog.elements import Element, Kind, split_path
from catalog.errors import ElementSyntaxError
from ingest.evidence.languages import AUDIT_PREFIX
from ingest.evidence.messages import Message
from ingest.evidence.statements import Statement, Statements
from ingest.grammar.references import Name, NamedUse, References, RelationUse
from ingest.meaning.resolve import Use, resolve, tables_named
from ingest.meaning.world import World
from ingest.schemas import Operation

_FIELD = re.compile(r'(?:"((?:[^"]|"")*)"|([^,"]*))(?:,|$)')
_FIELDS = 7
# In place of a statement: log_statement is off, or log_statement_once has told it before.
_NO_STATEMENT = frozenset({"<not logged>", "<previously logged>"})
# Another permission of a view that a line of its own has told already.
_UNKNOWN_COMMAND = "???"
_OPERATIONS = {
    "READ": Operation.READ,
    "WRITE": Operation.WRITE,
    "DDL": Operation.DDL,
    "ROLE": Operation.DDL,
}
_VIEWS = frozenset({"v", "m"})


@dataclass(frozen=True)
class _Line:
    """The fields of a line; `thing` is the object's name as pgaudit writes it, empty where there is none."""

    operation: Operation
    command: str
    thing_type: str
    thing: str
    sql: str | None


def audited_sql(text: str) -> str | None:
    """The statement that a line of pgaudit is about, or None where the line does not tell it."""
    line = _read(text)
    return line.sql if line else None


def uses_of_audit(
    message: Message, statements: Statements, world: World, path: tuple[str, ...] | None
) -> Iterator[Use]:
    """The uses that a line of pgaudit proves; `message.text` is the whole line.

    A line with an object speaks for it and its columns, one without for all of its statement. Where the
    statement does not tell how it came to the object, each column of it in the attic may have been used: a
    grant of a column to the auditor is enough to make the line.
    """
    line = _read(message.text)
    if line is None or line.command == _UNKNOWN_COMMAND:
        return
    statement = None if line.sql is None else statements.of(line.sql)
    found = () if statement is None else resolve(statement.references, world, path)
    names = _names(line.thing, world)
    if not names:
        yield from found
        return
    for name in names:
        for use in _uses_of(name, line, found, statement, world):
            yield Use(use.element, use.operation, use.implicit, use.ambiguous or len(names) > 1, use.via)


def _uses_of(
    name: Name, line: _Line, found: tuple[Use, ...], statement: Statement | None, world: World
) -> Iterator[Use]:
    """The uses of one object: what it is by its name alone, and what the statement says of it."""
    by_name = resolve(_named(name, line), world)
    yield from by_name
    tables = [table for table in tables_named(name, world) if table.element]
    views = {f"view:{table.schema}.{table.name}" for table in tables if table.kind in _VIEWS}
    elements = {table.element for table in tables}
    for use in found:
        is_of_object = use.element in elements or use.element.table in elements or use.via in views
        if is_of_object and use not in by_name:
            yield use
    is_told = (
        statement is not None
        and statement.references.is_parsed
        and any(use.element in elements for use in found)
    )
    if not is_told:
        for element in world.attic:
            if element.kind is Kind.COLUMN and element.table in elements:
                yield Use(element, line.operation, ambiguous=True)


def _named(name: Name, line: _Line) -> References:
    if line.thing_type == "INDEX":
        return References(is_parsed=True, indexes=(NamedUse(name, line.operation),))
    if line.thing_type == "TYPE":
        return References(is_parsed=True, types=(NamedUse(name, line.operation),))
    return References(is_parsed=True, relations=(RelationUse(name, line.operation),))


def _names(thing: str, world: World) -> list[Name]:
    """What the name of an object can mean; several where it is not quoted as an identifier has to be."""
    try:
        parts = split_path(thing)
    except ElementSyntaxError:
        parts = ()
    # A column of a table (`schema.table.column`) stands in the statement too.
    name: Name | None = (parts[0], parts[1]) if len(parts) > 1 else None
    dots = [place for place, character in enumerate(thing) if character == "."]
    loose: list[Name] = [(thing[:dot], thing[dot + 1 :]) for dot in dots]
    if name and (_is_known(name, world) or not any(_is_known(each, world) for each in loose)):
        return [name]
    return [each for each in loose if _is_known(each, world)]


def _is_known(name: Name, world: World) -> bool:
    schema, bare = name
    things: list[Element] = [*world.indexes.get(bare, ()), *world.enums.get(bare, ())]
    return bool(tables_named(name, world)) or any(thing.schema == schema for thing in things)


@lru_cache(maxsize=1)
def _read(text: str) -> _Line | None:
    # Who asks for the statement of a line asks for its uses next.
    fields: list[str] = []
    position = len(AUDIT_PREFIX)
    while len(fields) <= _FIELDS and position <= len(text):
        field = _FIELD.match(text, position)
        if field is None:
            return None
        quoted, plain = field.groups()
        fields.append(plain if quoted is None else quoted.replace('""', '"'))
        position = field.end() if field[0].endswith(",") else len(text) + 1
    if not text.startswith(AUDIT_PREFIX) or len(fields) <= _FIELDS:
        return None
    _, _, _, group, command, thing_type, thing, sql = fields
    operation = _OPERATIONS.get(group, Operation.READ)
    return _Line(operation, command, thing_type, thing, None if sql in _NO_STATEMENT else sql)
