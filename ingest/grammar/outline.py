"""What a plain query names and does, without its parse tree in Python: much quicker than a walk over it.

PostgreSQL's own parser writes the tree as JSON, in which every name stands as it is looked up: folded, cut to
63 bytes, without quotes.
"""

import json
import re
from dataclasses import dataclass

from pglast.parser import ParseError, parse_sql_json

from ingest.grammar.references import Event, Name

_PLAIN = frozenset({"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})
# A query within a query can write, too.
_EVENTS: dict[str, frozenset[Event]] = {
    '"InsertStmt":': frozenset({"insert"}),
    '"onConflictClause":': frozenset({"update", "default"}),
    '"UpdateStmt":': frozenset({"update", "default"}),
    '"DeleteStmt":': frozenset({"delete"}),
    '"MergeStmt":': frozenset({"insert", "update", "default", "delete"}),
}
_STATEMENT = re.compile(r'"stmt":\{"(\w+)"')
# A quote within a text has a backslash before it, so none of these can stand within one. They begin with what
# is rare, as there are thousands of trees to search.
_TEXT = r'"([^"\\]*(?:\\.[^"\\]*)*)"'
_STRING = re.compile(rf":{_TEXT}")
_RELATION = re.compile(
    rf'\{{(?:"catalogname":{_TEXT},)?(?:"schemaname":{_TEXT},)?"relname":{_TEXT}'
    r'(?:,"inh":true)?,"relpersistence":"\w"(,"alias":)?'
)
_WITHIN = re.compile(rf'"ctename":{_TEXT}')
# A constant may name something in more ways than one, SELECT INTO defines a table, and FOR UPDATE OF says an
# alias, which the tree calls a relation.
_NOT_PLAIN = ('"A_Const":{"sval"', '"intoClause":', '"lockedRels":')


@dataclass(frozen=True, slots=True)
class Outline:
    """A query's relations, each with whether it has an alias, and all names, among other words of the tree.

    `events` are what it may do to rows of any of them.
    """

    relations: frozenset[tuple[Name, bool]]
    names: frozenset[str]
    events: frozenset[Event]


def outline(sql: str) -> Outline | None:
    """The outline of plain queries; None of anything else, of what does not parse, or has a text in it."""
    try:
        tree = parse_sql_json(sql)
    except (ParseError, ValueError):
        return None
    if not _PLAIN.issuperset(_STATEMENT.findall(tree)) or any(sign in tree for sign in _NOT_PLAIN):
        return None
    within = {_read(name) for name in _WITHIN.findall(tree)}
    return Outline(
        frozenset(
            ((_read(schema) or None, _read(name)), bool(alias))
            for _, schema, name, alias in _RELATION.findall(tree)
            if schema or _read(name) not in within
        ),
        frozenset(_read(name) for name in set(_STRING.findall(tree))),
        frozenset().union(*(events for sign, events in _EVENTS.items() if sign in tree)),
    )


def _read(text: str) -> str:
    return str(json.loads(f'"{text}"')) if "\\" in text else text
