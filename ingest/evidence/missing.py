"""What an error proves: uses of elements in the attic under their former names, and constraints that refuse.

The position in the failing statement tells the name whatever language the server speaks. Where there is no
position, the first quoted name of the message has to do. A log without SQLSTATEs leaves open what an error is
about, so that everything it can mean is looked for.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

from catalog.elements import Element, Kind
from ingest.evidence.messages import Message
from ingest.evidence.statements import Statements
from ingest.grammar.parse import relation_positions
from ingest.grammar.references import Name, References
from ingest.logs.records import UNKNOWN_STATE
from ingest.meaning.resolve import Use, tables_named
from ingest.meaning.world import World
from ingest.schemas import Operation

UNDEFINED_TABLE = "42P01"
UNDEFINED_COLUMN = "42703"
UNDEFINED_OBJECT = "42704"
INVALID_VALUE = "22P02"
INVALID_PARAMETER = "22023"
# Not null, foreign key, unique, check and exclusion; the constraint is named as it is called now.
VIOLATIONS = ("23502", "23503", "23505", "23514", "23P01")
_NOT_TOLD = UNKNOWN_STATE.decode()

_PART = r'(?:"((?:[^"]|"")+)"|([^\W\d][\w$]*))'
_NEXT_PART = re.compile(r"\s*(\.?)\s*" + _PART)
_LITERAL = re.compile(r"[eEnN]?'((?:[^']|'')*)'")
# Quotation marks of the languages that PostgreSQL's messages are translated to.
_QUOTED = re.compile(r"[\"«„“”»]\s?(.+?)\s?[\"«»“”](?=\W|[^\x00-\x7f]|$)")
# Quoted text in a context is a value more often than a name (`COPY t, line 7, column c: "…"`), and values
# stay out of the tables.
_FUNCTION = re.compile(
    r"^PL/\w+\W(?:[^\"'«»„“”]*\s)?([^\s(\"'«»„“”]+)\("
    r'|^(?:compilation of )?(?:SQL|PL/\w+) function "([^"(]+)(?:\([^"]*\))?"'
)
_EXECUTE = re.compile(r"\s*EXECUTE\b", re.IGNORECASE)
_LONGEST_NAME = 63
_RELATIONS = frozenset({Kind.TABLE, Kind.INDEX, Kind.VIEW, Kind.MATVIEW, Kind.SEQUENCE})
# Their own SQLSTATEs tell them.
_ELSEWHERE = frozenset({*_RELATIONS, Kind.COLUMN, Kind.ENUM_VALUE}) - {Kind.INDEX}

Path = tuple[str, ...]


def name_at(sql: str, position: int) -> tuple[Path, bool]:
    """The dotted name that begins at a position (characters from 1), and whether a literal holds it."""
    start = position - 1
    literal = _LITERAL.match(sql, start)
    if literal:
        return _path(literal[1].replace("''", "'"), 0), True
    return _path(sql, start), False


def _path(text: str, start: int) -> Path:
    parts: list[str] = []
    while match := _NEXT_PART.match(text, start):
        dot, quoted, plain = match.groups()
        if bool(dot) is not bool(parts):
            break
        name = quoted.replace('""', '"') if quoted else plain.lower()
        parts.append(_as_stored(name))
        start = match.end()
    return tuple(parts)


def _as_stored(name: str) -> str:
    return name.encode()[:_LONGEST_NAME].decode(errors="ignore")


def quoted_name(text: str) -> str | None:
    """The first quoted name of a message, dots and all."""
    match = _QUOTED.search(text)
    return match[1] if match else None


def via_of(message: Message) -> str | None:
    """The function that a failing statement stands in, from the first line of the error's context."""
    first = message.context.partition("\n")[0]
    if not first:
        return None
    if "inline_code_block" in first:
        return "do block"
    match = _FUNCTION.search(first)
    if match is None:
        return "function" if message.inner_sql else None
    return f"function:{match[1] or match[2]}"


def missing_uses(message: Message, statements: Statements, world: World) -> tuple[Use, ...]:
    """The elements in the attic whose former names an error proves to be in use."""
    finders = _EVERY_FINDER if message.sqlstate == _NOT_TOLD else _FINDERS.get(message.sqlstate, ())
    if not finders or not world.attic:
        return ()
    sql = message.inner_sql or message.sql
    position = message.inner_position if message.inner_sql else message.position
    if position and _points_elsewhere(sql, position):
        position = None
    failure = _Failure(sql, position, message.text, statements.of(sql).references)
    found = dict.fromkeys(chain.from_iterable(finder(failure, world) for finder in finders))
    ambiguous = len(found) > 1
    via = via_of(message)
    return tuple(Use(e, operation, ambiguous=ambiguous or unsure, via=via) for e, operation, unsure in found)


def _points_elsewhere(sql: str, position: int) -> bool:
    """Whether a position is one in the text of an earlier PREPARE, which the log does not repeat."""
    return position > len(sql) or _EXECUTE.match(sql) is not None


@dataclass(frozen=True)
class _Failure:
    """The statement that failed: the one within a function where there is one."""

    sql: str
    position: int | None
    text: str
    references: References


# An element, what was to be done with it, and whether it could be another one.
_Found = tuple[Element, Operation, bool]


def _missing_relations(failure: _Failure, world: World) -> Iterator[_Found]:
    refs = failure.references
    operations = {use.relation: use.operation for use in refs.relations}
    entries = [e for e in world.attic if e.kind in _RELATIONS]
    if failure.position:
        path, is_literal = name_at(failure.sql, failure.position)
        places = None if is_literal else relation_positions(failure.sql)
        if not path or (places is not None and failure.position not in places):
            # A qualifier without a table in FROM gets the same SQLSTATE and proves nothing.
            return
        name = _name(path)
        for element in entries:
            if _means(name, element):
                yield element, operations.get(name, Operation.READ), False
        return
    quoted = quoted_name(failure.text)
    for element in entries:
        if quoted in (element.name, f"{element.schema}.{element.name}"):
            yield element, _operation_on(element, operations), False


def _operation_on(element: Element, operations: dict[Name, Operation]) -> Operation:
    names = ((element.schema, element.name), (None, element.name))
    return next((operations[name] for name in names if name in operations), Operation.READ)


def _missing_columns(failure: _Failure, world: World) -> Iterator[_Found]:
    path = name_at(failure.sql, failure.position)[0] if failure.position else ()
    quoted = quoted_name(failure.text)
    column = path[-1] if path else quoted
    if column is None:
        return
    refs = failure.references
    entries = [e for e in world.attic if e.kind is Kind.COLUMN and e.name == column]
    operation = next((use.operation for use in refs.columns if use.name == column), Operation.READ)
    known = {use.relation for use in refs.relations}
    named = {n for use in refs.columns if use.name == column for level in use.levels for n in level}
    if not known or named - known:
        # Within a trigger's NEW.x there is no table to be seen; nothing speaks against any.
        yield from ((element, operation, True) for element in entries)
        return
    tables = _tables_meant(named or known, world)
    # A column of a partitioned or inherited table has gone from its parts as well.
    tables |= {
        parent.element
        for name in named or known
        for table in tables_named(name, world)
        for parent in world.ancestors(table.oid)
    }
    for element in entries:
        if element.table in tables:
            yield element, operation, False


def _tables_meant(names: set[Name], world: World) -> set[Element | None]:
    """The tables that names can mean, under their former names too: the statement may fail on both."""
    present = {table.element for name in names for table in tables_named(name, world)}
    former = {e for e in world.attic if e.kind is Kind.TABLE and any(_means(name, e) for name in names)}
    return present | former


def _missing_objects(failure: _Failure, world: World) -> Iterator[_Found]:
    path = name_at(failure.sql, failure.position)[0] if failure.position else ()
    quoted = (quoted_name(failure.text) or "").removesuffix("[]")
    refs = failure.references
    operation = Operation.DDL if refs.indexes else Operation.READ
    tables = _tables_meant({use.relation for use in refs.relations}, world)
    for element in world.attic:
        if element.kind in _ELSEWHERE:
            continue
        if element.kind is Kind.CONSTRAINT and tables and element.table not in tables:
            continue
        dotted = f"{element.schema}.{element.name}"
        if (path and _means(_name(path), element)) or quoted in (element.name, dotted):
            yield element, operation, False


def _bad_values(failure: _Failure, world: World) -> Iterator[_Found]:
    """A value that an enum refuses: the message says the type's present name, in every language."""
    label = quoted_name(failure.text)
    for element, entry in world.attic.items():
        if element.kind is Kind.ENUM and entry.deprecated_name in failure.text:
            yield element, Operation.READ, False
        # The type of the value may have got another name since.
        elif element.kind is Kind.ENUM_VALUE and label == element.name:
            yield element, Operation.READ, (element.parent or "") not in failure.text


def _violated(failure: _Failure, world: World) -> Iterator[_Found]:
    """A constraint, or the index behind it, that has just refused a row."""
    quoted = {match[1] for match in _QUOTED.finditer(failure.text)}
    for element, entry in world.attic.items():
        if element.kind in (Kind.CONSTRAINT, Kind.INDEX) and entry.deprecated_name in quoted:
            yield element, Operation.WRITE, False


def _name(path: Path) -> Name:
    return (path[-2] if len(path) > 1 else None), path[-1]


def _means(name: Name, element: Element) -> bool:
    return name[1] == element.name and name[0] in (None, element.schema)


_Finder = Callable[[_Failure, World], Iterator[_Found]]
_FINDERS: dict[str, tuple[_Finder, ...]] = {
    UNDEFINED_TABLE: (_missing_relations,),
    UNDEFINED_COLUMN: (_missing_columns,),
    UNDEFINED_OBJECT: (_missing_objects,),
    INVALID_VALUE: (_bad_values,),
    INVALID_PARAMETER: (_bad_values,),
    **dict.fromkeys(VIOLATIONS, (_violated,)),
}
_EVERY_FINDER = tuple(dict.fromkeys(chain.from_iterable(_FINDERS.values())))
