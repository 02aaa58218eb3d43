"""Walks over bodies of functions and DO blocks: texts within a statement, in a language of their own."""

from typing import Any

from pglast.parser import ParseError, parse_sql

from ingest.grammar.constants import name_in, words_in
from ingest.grammar.expressions import Scope, strings
from ingest.grammar.objects import ObjectWalk
from ingest.grammar.plpgsql import code_of, is_stored_parsed
from ingest.grammar.references import References
from ingest.schemas import Operation

_ROW_TYPE = "%rowtype"
_DEFINITION = "CREATE FUNCTION f({}) RETURNS integer {}"


def unparsed(text: str) -> References:
    """What a text that is no SQL may name."""
    return References(is_parsed=False, words=frozenset(words_in(text)))


class BodyWalk(ObjectWalk):
    """Gathers what bodies refer to."""

    def do(self, node: Any) -> None:
        self.is_literal_sensitive = True
        found = {argument.defname: argument.arg.sval for argument in node.args or ()}
        self.add_all(self.body(found.get("language", "plpgsql"), found.get("as", "")))

    def function(self, node: Any, scope: Scope) -> None:
        self.visit_children(node, scope, but=("options", "sql_body", "funcname"))
        options = {option.defname: option.arg for option in node.options or ()}
        language = getattr(options.get("language"), "sval", "sql")
        for text in strings(options.get("as"))[:1]:
            self.is_literal_sensitive = True
            self.add_all(self.body(language, text), defines=True)
        self.add_all(self._parsed_body(node.sql_body), defines=True)

    def _parsed_body(self, body: Any) -> References:
        inner = type(self)(self.read)
        inner.operation = Operation.READ
        inner.visit(body, Scope())
        return inner.references()

    def body(self, language: str, text: str) -> References:
        """What a body of a function, or a DO block, refers to; its words where it cannot be parsed."""
        if is_stored_parsed(language, text):
            return self._definition(text, "sql_body")
        code = code_of(language, text)
        parts = [self.read(query) for query in code.queries] if code else []
        if code is None or not all(part.is_parsed for part in parts):
            return unparsed(text)
        inner = type(self)(self.read)
        for part in parts:
            inner.add_all(part)
        for declared in code.types:
            inner.add_all(self._declared(declared))
        for constant in code.dynamic:
            inner.constant_text(constant)
        return inner.references()

    def _declared(self, name: str) -> References:
        """The type of a variable of a function."""
        row = name_in(name[: -len(_ROW_TYPE)]) if name.lower().endswith(_ROW_TYPE) else None
        if row is None:
            return self._definition(name, "parameters")
        inner = type(self)(self.read)
        inner.add_relation(row, Operation.READ)
        return inner.references()

    def _definition(self, text: str, part: str) -> References:
        """A part of a function's definition, which alone is no statement: the body, or a type."""
        is_body = part == "sql_body"
        try:
            function: Any = parse_sql(_DEFINITION.format(*(("", text) if is_body else (text, "RETURN 1"))))[
                0
            ].stmt
        except (ParseError, RecursionError, ValueError):
            return unparsed(text)
        return self._parsed_body(function.sql_body if is_body else function.parameters)
