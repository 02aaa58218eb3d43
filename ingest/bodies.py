"""Takes the bodies of functions apart: what is code, what is text, and which queries are in it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

from pglast.parser import ParseError, parse_plpgsql_json, scan

from ingest.normalise import CONSTANTS, normalise
from ingest.parse import references
from ingest.references import References

# What a body returns is not known here, and PL/pgSQL parses its RETURN by it: the first that fits is taken.
_HEADS = ("RETURNS trigger", "RETURNS integer", "RETURNS SETOF integer", "RETURNS void")
_TAG = "$pgattic$"
# PostgreSQL's RAW_PARSE_DEFAULT, RAW_PARSE_PLPGSQL_EXPR and the three of an assignment.
_STATEMENT, _EXPRESSION = 0, 2


@dataclass(frozen=True, slots=True)
class Body:
    """A body taken apart.

    `code` is without comments and constants, `constants` are the texts that a statement made at run time may
    be put together from. `queries` are the statements and expressions of the code, without constants too, and
    `references` what each refers to; both are None where the body could not be parsed.
    """

    code: str
    constants: str
    queries: tuple[str, ...] | None = None
    references: tuple[References, ...] | None = None


@lru_cache(maxsize=10_000)
def read_body(language: str, text: str) -> Body | None:
    """Take a body apart, or give None where not even its words can be told."""
    code = normalise(text)
    if code is None:
        return None
    constants = "\n".join(
        text[token.start : token.end + 1] for token in scan(text) if token.name in CONSTANTS
    )
    found = _queries(language, text)
    if found is None:
        return Body(code, constants)
    parsed = tuple(references(query) for query in found)
    if not all(one.is_parsed for one in parsed):
        return Body(code, constants)
    return Body(code, constants, tuple(normalise(query) or query for query in found), parsed)


def _queries(language: str, text: str) -> tuple[str, ...] | None:
    match language:
        case "sql":
            return (text,)
        case "plpgsql" if _TAG not in text:
            return next((found for head in _HEADS if (found := _plpgsql(head, text)) is not None), None)
        case _:
            return None


def _plpgsql(head: str, text: str) -> tuple[str, ...] | None:
    definition = f"CREATE FUNCTION f() {head} LANGUAGE plpgsql AS {_TAG}{text}{_TAG}"
    try:
        tree = json.loads(parse_plpgsql_json(definition))
    except (ParseError, RecursionError, ValueError):
        return None
    return tuple(_expressions(tree))


def _expressions(node: Any) -> Iterator[str]:
    match node:
        case {"PLpgSQL_expr": {"query": str(query), **rest}}:
            mode = rest.get("parseMode", _STATEMENT)
            if mode == _STATEMENT:
                yield query
            elif mode == _EXPRESSION:
                yield f"SELECT {query}"
            else:
                # Both sides of `target := value` are expressions, an array's subscript for one.
                target, assigned, value = query.partition(":=")
                if not assigned:
                    target, _, value = query.partition("=")
                yield f"SELECT {target}"
                yield f"SELECT {value}"
        case dict():
            yield from chain.from_iterable(_expressions(value) for value in node.values())
        case list():
            yield from chain.from_iterable(_expressions(value) for value in node)
        case _:
            return
