"""Parses statements with PostgreSQL's own grammar."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

from pglast import ast
from pglast.parser import ParseError, parse_sql

from ingest.grammar.definitions import StatementWalk
from ingest.grammar.function_bodies import unparsed
from ingest.grammar.references import References


def references(sql: str) -> References:
    """What a statement, or several in one string, refers to; the words of what cannot be parsed."""
    walk = StatementWalk(references)
    try:
        for statement in parsed(sql):
            walk.statement(statement.stmt)
    except (ParseError, RecursionError, ValueError):
        return unparsed(sql)
    return walk.references()


@lru_cache(maxsize=8)
def parsed(sql: str) -> Sequence[Any]:
    """The statements of a text; raises what pglast does. Several ask for the same one after the other."""
    return tuple(parse_sql(sql))


@lru_cache(maxsize=10_000)
def body_references(language: str, text: str) -> References:
    """What the body of a function refers to; its words where that cannot be parsed."""
    return StatementWalk(references).body(language, text)


def relation_positions(sql: str) -> frozenset[int] | None:
    """Where a statement names relations, in characters from 1; None where it does not parse."""
    try:
        nodes = chain.from_iterable(_nodes(statement) for statement in parse_sql(sql))
        return frozenset((node.location or 0) + 1 for node in nodes if isinstance(node, ast.RangeVar))
    except (ParseError, RecursionError, ValueError):
        return None


def _nodes(node: Any) -> Iterator[Any]:
    """A node and all below it."""
    if isinstance(node, (tuple, list)):
        for item in node:
            yield from _nodes(item)
    elif isinstance(node, ast.Node):
        yield node
        for name in node:
            yield from _nodes(getattr(node, name))
