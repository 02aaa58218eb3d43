"""Which statements are in the body of a function, and what may become one when it runs."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

from pglast.parser import ParseError, Token, parse_plpgsql_json, parse_sql, scan

from ingest.grammar.constants import all_texts

# What a body returns is not known here, and PL/pgSQL parses its RETURN by it: the first that fits is taken.
_HEADS = (
    "RETURNS trigger",
    "RETURNS integer",
    "RETURNS SETOF integer",
    "RETURNS void",
    "RETURNS event_trigger",
)
_TAG = "$pgattic$"
# PostgreSQL's RAW_PARSE_DEFAULT, RAW_PARSE_PLPGSQL_EXPR and the three of an assignment.
_STATEMENT, _EXPRESSION = 0, 2
_ATOMIC = re.compile(r"\s*(?:BEGIN\s+ATOMIC|RETURN)\b", re.IGNORECASE)
_END = "ASCII_59"
_ASSIGNS = frozenset({"COLON_EQUALS", "ASCII_61", "DEFAULT"})
_AFTER_TYPE = _ASSIGNS | {_END, "NOT", "COLLATE"}
_ENDS_ARRAY = frozenset({"ASCII_93", "ARRAY"})
# The types that the parser knows; whatever else a variable is may be a row or a single value.
_KNOWN_TYPES = frozenset(
    """int integer bigint smallint int2 int4 int8 numeric decimal real float float4 float8 double money
    text varchar char character name boolean bool date time timetz timestamp timestamptz interval json jsonb
    uuid bytea xml bit oid regclass inet cidr tsvector tsquery refcursor record""".split()  # noqa: SIM905 shorter
)
_ROW, _VALUE, _CURSOR = "record", "integer", "refcursor"
# What is assigned to and not declared is an argument; the parser tells of one at a time.
_UNDECLARED = re.compile(r'"([^"]+)" is not a known variable|variable "([^"]+)" must be of type cursor')
_MOST_ARGUMENTS = 100


@dataclass(frozen=True, slots=True)
class Code:
    """The statements and expressions of a body, the types of its variables, and texts that it may run."""

    queries: tuple[str, ...]
    types: tuple[str, ...] = ()
    dynamic: tuple[str, ...] = ()


@lru_cache(maxsize=10_000)
def code_of(language: str, text: str) -> Code | None:
    """The code of a body, or None where its language is not known here or its grammar is another one."""
    match language.lower():
        case "sql" if is_stored_parsed(language, text):
            # The server shows a body that it keeps parsed; only within its definition is it a statement.
            return Code((f"CREATE FUNCTION f() RETURNS integer {text}",))
        case "sql":
            return Code((text,))
        case "plpgsql" if _TAG not in text:
            return next((found for head in _HEADS if (found := _plpgsql(head, text)) is not None), None)
        case _:
            return None


def is_stored_parsed(language: str, text: str) -> bool:
    """Whether a body is one that the server keeps parsed and shows under the names of today."""
    return language.lower() == "sql" and _ATOMIC.match(text) is not None


def _plpgsql(head: str, text: str) -> Code | None:
    for unknown in (_ROW, _VALUE):
        found = _parsed(head, text, unknown)
        if found is not None:
            return found
    return None


def _parsed(head: str, text: str, unknown: str) -> Code | None:
    """The code of a body, with variables of types that the parser does not know taken for another type."""
    try:
        plain, types, defaults = _without_types(text, unknown)
        tree = _tree(head, plain)
        dynamic = tuple(chain.from_iterable(_constants(expression) for expression in _run(tree)))
    except (ParseError, RecursionError, ValueError):
        return None
    return Code((*defaults, *_expressions(tree)), types, dynamic)


def _tree(head: str, body: str) -> Any:
    """The parser's tree of a body, with declarations of the arguments that it assigns to."""
    arguments: dict[str, str] = {}
    while True:
        declared = " ".join(f"{name} {kind};" for name, kind in arguments.items())
        whole = f"DECLARE {declared} BEGIN {body}\n; END" if arguments else body
        try:
            return json.loads(
                parse_plpgsql_json(f"CREATE FUNCTION f() {head} LANGUAGE plpgsql AS {_TAG}{whole}{_TAG}")
            )
        except ParseError as error:
            missing = _UNDECLARED.search(str(error))
            if missing is None or len(arguments) > _MOST_ARGUMENTS:
                raise
            name, _, is_row = (missing[1] or missing[2]).partition(".")
            kind = _CURSOR if missing[2] else _ROW if is_row else _VALUE
            if arguments.get(name) == kind:
                raise
            arguments[name] = kind


def _without_types(text: str, unknown: str) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """A body whose variables have types that the parser knows without a catalog; their types and defaults."""
    tokens = [token for token in scan(text) if not token.name.endswith("_COMMENT")]
    types: dict[str, None] = {}
    defaults: list[str] = []
    plain, done, place = [], 0, 0
    while place < len(tokens):
        place += 1
        if tokens[place - 1].name != "DECLARE":
            continue
        while place < len(tokens) and tokens[place].name not in ("BEGIN_P", "LESS_LESS"):
            end = next((n for n in range(place, len(tokens)) if tokens[n].name == _END), len(tokens) - 1)
            declared = _Declaration.of(text, tokens[place : end + 1])
            if declared:
                if declared.type.lower() != "record":
                    types[declared.type] = None
                defaults += declared.default
                plain += [text[done : declared.start], declared.stand_in(unknown)]
                done = declared.end
            place = end + 1
    # Without a last semicolon, so that the body can stand within another block.
    end = tokens[-1].start if tokens and tokens[-1].name == _END else len(text)
    return "".join((*plain, text[done:end])), tuple(types), tuple(defaults)


@dataclass(frozen=True, slots=True)
class _Declaration:
    """The type of a declared variable, where it stands, and the query of its default, if there is one."""

    type: str
    start: int
    end: int
    is_array: bool
    default: list[str]

    def stand_in(self, unknown: str) -> str:
        """A type that the parser knows, and that can do in its place what the variable's own can."""
        if self.is_array:
            return "integer[]"
        words = self.type.lower().replace("(", " ").split()
        if words and words[0] in _KNOWN_TYPES and "%" not in self.type:
            return self.type
        return _ROW if self.type.lower().endswith("rowtype") else unknown

    @classmethod
    def of(cls, text: str, tokens: Sequence[Token]) -> "_Declaration | None":
        first = (
            2 if len(tokens) > 1 and text[tokens[1].start : tokens[1].end + 1].lower() == "constant" else 1
        )
        names = {token.name for token in tokens}
        if len(tokens) < first + 2 or (names & {"CURSOR", "ALIAS", "FOR"} and "ASCII_37" not in names):
            return None
        last = next(n for n in range(first, len(tokens)) if tokens[n].name in _AFTER_TYPE)
        if last == first:
            return None
        start, end = tokens[first].start, tokens[last - 1].end + 1
        value = next((n for n in range(last, len(tokens)) if tokens[n].name in _ASSIGNS), None)
        default = [] if value is None else [f"SELECT {text[tokens[value].end + 1 : tokens[-1].start]}"]
        return cls(text[start:end], start, end, tokens[last - 1].name in _ENDS_ARRAY, default)


def _run(node: Any) -> Iterator[str]:
    """The expressions whose values are run as statements."""
    match node:
        case {"PLpgSQL_stmt_dynexecute": {"query": {"PLpgSQL_expr": {"query": str(query)}}}}:
            yield query
        case {"PLpgSQL_stmt_dynfors": {"query": {"PLpgSQL_expr": {"query": str(query)}}, **rest}}:
            yield query
            yield from _run(rest)
        case {"dynquery": {"PLpgSQL_expr": {"query": str(query)}}}:
            yield query
        case dict():
            yield from chain.from_iterable(_run(value) for value in node.values())
        case list():
            yield from chain.from_iterable(_run(value) for value in node)
        case _:
            return


def _constants(expression: str) -> Iterator[str]:
    yield from all_texts(tuple(parse_sql(f"SELECT {expression}")))


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
