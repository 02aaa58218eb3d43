"""Walks over expressions: columns, casts, calls, fields, with what each level of a query can name."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from pglast import ast

from catalog.names import MAX_NAME_BYTES
from ingest.grammar.constants import (
    OPERATORS,
    all_texts,
    columns_in_call,
    is_made_by_users,
    labels_in,
    may_run,
    name_in,
    names_something,
    relations_in_call,
    type_in_call,
)
from ingest.grammar.effects import constant, set_config
from ingest.grammar.references import Collector, Name, References, RunKept
from ingest.schemas import Operation

# A longer constant is a document that is stored rather than a statement that is run.
_LONGEST_CONSTANT = 65_536


@dataclass
class Scope:
    """The names that one query level knows; an alias of None is a CTE, a subselect or a function."""

    outer: "Scope | None" = None
    aliases: dict[str, Name | None] = field(default_factory=dict)
    relations: list[Name] = field(default_factory=list)
    ctes: set[str] = field(default_factory=set)

    def levels(self) -> Iterator["Scope"]:
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.outer

    def is_cte(self, name: Name) -> bool:
        return name[0] is None and any(name[1] in scope.ctes for scope in self.levels())

    def candidates(self) -> tuple[tuple[Name, ...], ...]:
        return tuple(tuple(scope.relations) for scope in self.levels() if scope.relations)

    def find(self, alias: str) -> tuple[bool, Name | None]:
        """Whether a level knows the alias, and the relation that it stands for."""
        for scope in self.levels():
            if alias in scope.aliases:
                return True, scope.aliases[alias]
        return False, None

    def add(self, relation: Name, alias: str) -> None:
        self.aliases[alias] = relation
        self.relations.append(relation)


_PLAIN = (type(None), str, int, float)


class ExpressionWalk(Collector):
    """Gathers what expressions refer to; `operation` is what the part at hand does to a relation it names.

    `read` tells what a text within a constant refers to.
    """

    def __init__(self, read: Callable[[str], References]) -> None:
        super().__init__()
        self.read = read
        self.operation = Operation.DDL

    def visit(self, node: Any, scope: Scope) -> None:  # noqa: PLR0912 one case a kind of node
        """Gather what a node, and all below it, refers to."""
        match node:
            case None | str() | int() | float() | bool():
                return
            case tuple() | list():
                for item in node:
                    self.visit(item, scope)
            case ast.RangeVar():
                self.add_relation(name_of(node), self.operation)
            case ast.ColumnRef():
                self._column_ref(node.fields or (), scope)
            case ast.TypeName():
                self.visit_type(node.names, is_part=bool(node.pct_type))
                self.visit(node.typmods, scope)
            case ast.TypeCast():
                self._cast(node, scope)
            case ast.A_Indirection():
                self._field(node, scope)
            case ast.CurrentOfExpr():
                if node.cursor_name:
                    self.add_effect(RunKept("cursor", node.cursor_name))
            case ast.A_Expr():
                self._operator(node)
                self.visit_children(node, scope, but=("name",))
            case ast.FuncCall():
                self._call(node, scope)
                self.visit_children(node, scope, but=("funcname",))
            case _:
                self.visit_children(node, scope)

    def visit_children(self, node: Any, scope: Scope, but: Sequence[str] = ()) -> None:
        """Gather what the parts of a node refer to."""
        for name in node:
            part = getattr(node, name)
            # Most parts are not there, or say nothing by themselves.
            if not isinstance(part, _PLAIN) and name not in but:
                self.visit(part, scope)

    def visit_as(self, operation: Operation, node: Any, scope: Scope) -> None:
        """Gather what a part refers to that reads where the rest of its statement writes."""
        before, self.operation = self.operation, operation
        self.visit(node, scope)
        self.operation = before

    def visit_type(self, parts: Iterable[Any] | None, *, is_part: bool = False) -> None:
        """A type by its parts, those of the grammar itself left out; `is_part` for `table.column%TYPE`."""
        names = strings(parts)
        if is_part and len(names) > 1:
            relation = last_two(names[:-1])
            self.add_relation(relation, self.operation)
            self.add_column(names[-1], ((relation,),), self.operation)
        elif names and names[0] != "pg_catalog":
            self.add_type(last_two(names), self.operation)

    def _cast(self, node: Any, scope: Scope) -> None:
        names = strings(node.typeName.names)
        kind = names[-1] if names else ""
        text = constant(node.arg)
        if isinstance(text, str) and kind in ("regclass", "regtype"):
            self.is_literal_sensitive = True
            name = name_in(text)
            if name and kind == "regclass":
                self.add_relation(name, Operation.READ)
            elif name:
                self.add_type(name, Operation.READ)
        elif isinstance(text, str) and len(text) <= MAX_NAME_BYTES and is_made_by_users(names):
            self.is_literal_sensitive = True
            for label in labels_in(text) if node.typeName.arrayBounds else (text,):
                self.add_label(last_two(names), label, Operation.READ)
        self.visit_children(node, scope)

    def _field(self, node: Any, scope: Scope) -> None:
        """`(t).c`, `(t).*`, `(x.y).z` and `(f(x)).y`: fields of a row, or elements of an array."""
        first: Any = (node.indirection or (None,))[0]
        base = strings(node.arg.fields) if isinstance(node.arg, ast.ColumnRef) else []
        relation = scope.find(base[0])[1] if len(base) == 1 else None
        if relation and isinstance(first, ast.String):
            self.add_column(str(first.sval), ((relation,),), Operation.READ)
        elif relation and isinstance(first, ast.A_Star):
            self.add_relation(relation, Operation.READ, is_whole=True)
        else:
            self.visit(node.arg, scope)
        self.visit(node.indirection, scope)

    def _operator(self, node: Any) -> None:
        names = strings(node.name)
        if names and (len(names) > 1 or names[-1] not in OPERATORS):
            # To whoever looks for it, an operator is a function of another name.
            self.add_function(last_two(names))

    def _call(self, node: Any, scope: Scope) -> None:
        function = last_two(strings(node.funcname))
        arguments: tuple[Any, ...] = node.args or ()
        if function[0] != "pg_catalog":
            self.add_function(function)
        if function[1] == "set_config":
            self.is_literal_sensitive = True
            effect = set_config(arguments)
            if effect:
                self.add_effect(effect)
        elif names_something(function) and next(all_texts(arguments), None) is not None:
            self.is_literal_sensitive = True
            self._constants(function, arguments)
        if len(arguments) == 1 and isinstance(arguments[0], ast.ColumnRef) and names_something(function):
            # c(t) is another way to write t.c.
            names = strings(arguments[0].fields)
            relation = scope.find(names[0])[1] if len(names) == 1 else None
            if relation:
                self.add_column(function[1], ((relation,),), Operation.READ)

    def _constants(self, function: Name, arguments: tuple[Any, ...]) -> None:
        relations = tuple(relations_in_call(function, arguments))
        for relation, operation in relations:
            self.add_relation(relation, operation)
        for column in columns_in_call(function, arguments):
            self.add_column(column, (tuple(name for name, _ in relations),), Operation.READ)
        for name in type_in_call(function, arguments):
            self.add_type(name, Operation.READ)
        if may_run(function):
            for text in all_texts(arguments):
                self.constant_text(text)

    def constant_text(self, text: str) -> None:
        """A constant that may be run as a statement, or become part of one."""
        self.is_literal_sensitive = True
        found = self.read(text[:_LONGEST_CONSTANT])
        if found.is_parsed:
            self.add_possible(found)
        else:
            self.add_words(found.words)

    def _column_ref(self, fields: Sequence[Any], scope: Scope) -> None:
        names = strings(fields)
        if isinstance(fields[-1], ast.A_Star):
            self._star(names, scope)
        elif len(names) == 1:
            known, relation = scope.find(names[0])
            if known and relation:
                # An alias alone is the whole row, unless there is a column of that name.
                self.add_relation(relation, Operation.READ, is_whole=True)
            self.add_column(names[0], scope.candidates(), Operation.READ)
        else:
            relation = self._qualifier(names[:-1], scope)
            if relation:
                self.add_column(names[-1], ((relation,),), Operation.READ)
            elif len(names) == 2 and not scope.find(names[0])[0]:
                # `x.y` and NEW.y look alike: some record's field, perhaps a column of that name.
                record: Name = (None, names[0])
                self.add_column(names[-1], ((record,), *scope.candidates()), Operation.READ)

    def _star(self, qualifier: list[str], scope: Scope) -> None:
        relations = [self._qualifier(qualifier, scope)] if qualifier else scope.relations
        for relation in relations:
            if relation:
                self.add_relation(relation, Operation.READ, is_whole=True)

    def _qualifier(self, names: list[str], scope: Scope) -> Name | None:
        if len(names) == 1:
            return scope.find(names[0])[1]
        wanted = last_two(names)
        everywhere = chain.from_iterable(scope.candidates())
        # app.t.x also means the t that search_path found in app.
        return next((found for found in everywhere if found in (wanted, (None, wanted[1]))), None)


def name_of(node: Any) -> Name:
    """The name of a RangeVar."""
    return node.schemaname, node.relname


def strings(parts: Iterable[Any] | None) -> list[str]:
    """The texts of a list of String nodes."""
    return [str(part.sval) for part in parts or () if isinstance(part, ast.String)]


def last_two(names: Sequence[str]) -> Name:
    """Schema, where there is one, and name."""
    return (names[-2] if len(names) > 1 else None), names[-1]
