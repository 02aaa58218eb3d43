"""What of a text is planned: the relations as it calls them, and the names of what it puts out.

pg_stat_statements knows a planned statement again by less than its text; `ingest/evidence/called.py` says how
much less.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pglast import ast
from pglast.parser import ParseError

from ingest.grammar.parse import parsed
from ingest.grammar.references import Name

# These are planned themselves, or hold a statement that is, and can lend it their text.
_PLANNED = (
    ast.SelectStmt,
    ast.InsertStmt,
    ast.UpdateStmt,
    ast.DeleteStmt,
    ast.MergeStmt,
    ast.PrepareStmt,
    ast.ExplainStmt,
    ast.DeclareCursorStmt,
    ast.CreateTableAsStmt,
    ast.RefreshMatViewStmt,
    ast.CopyStmt,
)


@dataclass(frozen=True, slots=True)
class Planned:
    """The relations of the planned statements in a text, each with whether it has an alias, and the names
    that columns get in it."""

    relations: frozenset[tuple[Name, bool]]
    outputs: frozenset[str]


def planned(sql: str) -> Planned | None:
    """What a text has planned; None where it plans nothing, or does not parse."""
    try:
        found = [item.stmt for item in parsed(sql) if isinstance(item.stmt, _PLANNED)]
    except (ParseError, RecursionError, ValueError):
        return None
    if not found:
        return None
    relations: set[tuple[Name, bool]] = set()
    within: set[str] = set()
    outputs: set[str] = set()
    made: set[Name] = set()
    for node in _nodes(found):
        match node:
            case ast.RangeVar():
                relations.add((_name(node), node.alias is not None))
                outputs |= _names(node.alias)
            case ast.RangeSubselect() | ast.RangeFunction() | ast.JoinExpr():
                outputs |= _names(node.alias)
            case ast.CommonTableExpr():
                within.add(str(node.ctename))
                outputs |= {str(part.sval) for part in node.aliascolnames or ()}
            case ast.ResTarget() if node.name:
                outputs.add(node.name)
            case ast.IntoClause():
                made.add(_name(node.rel))
    return Planned(
        frozenset(
            (name, has_alias)
            for name, has_alias in relations
            if name not in made and not (name[0] is None and name[1] in within)
        ),
        frozenset(outputs),
    )


def _nodes(statements: Iterable[Any]) -> Iterator[Any]:
    """All nodes of some statements; quick, as there are thousands of texts to go through."""
    waiting = [*statements]
    while waiting:
        node = waiting.pop()
        if isinstance(node, tuple):
            waiting.extend(node)
            continue
        # FOR UPDATE OF says again what FROM has said, by its alias.
        if not isinstance(node, ast.Node) or isinstance(node, ast.LockingClause):
            continue
        yield node
        parts = (getattr(node, name) for name in node)
        waiting.extend(part for part in parts if isinstance(part, (ast.Node, tuple)))


def _name(relation: Any) -> Name:
    return relation.schemaname, relation.relname


def _names(alias: Any) -> set[str]:
    return {str(part.sval) for part in alias.colnames or ()} if alias is not None else set()
