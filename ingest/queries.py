"""Walks over queries (SELECT, INSERT, UPDATE, DELETE, MERGE, COPY), with what each level of them can name."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from pglast import ast
from pglast.enums import SetOperation

from ingest.references import Collector, Name
from ingest.schemas import Operation


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


class QueryWalk(Collector):
    """Gathers what queries refer to; `operation` is what the part at hand does to a relation it names."""

    def __init__(self) -> None:
        super().__init__()
        self.operation = Operation.DDL

    def visit(self, node: Any, scope: Scope) -> None:  # noqa: PLR0912 one case a kind of node
        """Gather what a node, and all below it, refers to."""
        match node:
            case None | str() | int() | float() | bool():
                return
            case tuple() | list():
                for item in node:
                    self.visit(item, scope)
            case ast.SelectStmt():
                self._select(node, scope)
            case ast.InsertStmt():
                self._insert(node, scope)
            case ast.UpdateStmt() | ast.DeleteStmt():
                self._update_or_delete(node, scope)
            case ast.MergeStmt():
                self._merge(node, scope)
            case ast.CopyStmt():
                self._copy(node, scope)
            case ast.RangeVar():
                self.add_relation(name_of(node), self.operation)
            case ast.ColumnRef():
                self._column_ref(node.fields or (), scope)
            case ast.TypeName():
                self.visit_type(node.names)
                self.visit(node.typmods, scope)
            case ast.FuncCall():
                self.add_function(strings(node.funcname)[-1])
                self.visit_children(node, scope, but=("funcname",))
            case _:
                self.visit_children(node, scope)

    def visit_children(self, node: Any, scope: Scope, but: Sequence[str] = ()) -> None:
        """Gather what the parts of a node refer to."""
        for name in node:
            if name not in but:
                self.visit(getattr(node, name), scope)

    def visit_as(self, operation: Operation, node: Any, scope: Scope) -> None:
        """Gather what a part refers to that reads where the rest of its statement writes."""
        before, self.operation = self.operation, operation
        self.visit(node, scope)
        self.operation = before

    def visit_type(self, parts: Iterable[Any] | None) -> None:
        """A type by its parts; those of the grammar itself are left out."""
        names = strings(parts)
        if names and names[0] != "pg_catalog":
            self.add_type(last_two(names), self.operation)

    def _select(self, node: Any, outer: Scope) -> None:
        scope = self._with(node.withClause, outer)
        self.visit(node.intoClause, scope)
        before, self.operation = self.operation, Operation.READ
        if node.op != SetOperation.SETOP_NONE:
            self.visit(node.larg, scope)
            self.visit(node.rarg, scope)
        self._from(node.fromClause, scope)
        # FOR UPDATE OF names aliases, not relations.
        done = ("withClause", "intoClause", "fromClause", "larg", "rarg", "lockingClause")
        self.visit_children(node, scope, but=done)
        self.operation = before

    def _with(self, clause: Any, outer: Scope) -> Scope:
        scope = Scope(outer)
        for cte in clause.ctes if clause else ():
            if clause.recursive:
                scope.ctes.add(cte.ctename)
            self.visit(cte.ctequery, scope)
            scope.ctes.add(cte.ctename)
        return scope

    def _from(self, items: Iterable[Any] | None, scope: Scope) -> None:
        conditions: list[Any] = []
        for item in items or ():
            self._from_item(item, scope, conditions)
        self.visit(conditions, scope)

    def _from_item(self, item: Any, scope: Scope, conditions: list[Any]) -> None:
        alias = item.alias.aliasname if getattr(item, "alias", None) else None
        match item:
            case ast.RangeVar():
                name = name_of(item)
                if scope.is_cte(name):
                    scope.aliases[alias or name[1]] = None
                else:
                    self.add_relation(name, Operation.READ)
                    scope.add(name, alias or name[1])
            case ast.JoinExpr():
                self._from_item(item.larg, scope, conditions)
                self._from_item(item.rarg, scope, conditions)
                conditions.append(item.quals)
                for column in item.usingClause or ():
                    self.add_column(column.sval, scope.candidates()[:1], Operation.READ)
                if alias:
                    scope.aliases[alias] = None
            case ast.RangeTableSample():
                self._from_item(item.relation, scope, conditions)
                conditions += [item.args, item.repeatable]
            case _:
                # A subselect, a function, a JSON or XML table: its columns are those of no relation.
                self.visit_children(item, scope, but=("alias",))
                if alias:
                    scope.aliases[alias] = None

    def _insert(self, node: Any, outer: Scope) -> None:
        scope = self._with(node.withClause, outer)
        target = name_of(node.relation)
        is_whole = not node.cols and node.selectStmt is not None
        self.add_relation(target, Operation.WRITE, is_whole=is_whole)
        self._targets(node.cols, target, scope)
        self.visit(node.selectStmt, scope)
        alias = node.relation.alias.aliasname if node.relation.alias else target[1]
        for name in (alias, "excluded", "old", "new"):
            scope.aliases[name] = target
        scope.relations.append(target)
        if node.onConflictClause:
            self._on_conflict(node.onConflictClause, target, scope)
        self._returning(node, scope)

    def _on_conflict(self, clause: Any, target: Name, scope: Scope) -> None:
        self.visit_as(Operation.READ, clause.whereClause, scope)
        self._targets(clause.targetList, target, scope)
        if clause.infer is None:
            return
        for element in clause.infer.indexElems or ():
            if element.name:
                self.add_column(element.name, ((target,),), Operation.READ)
            self.visit_as(Operation.READ, element.expr, scope)
        self.visit_as(Operation.READ, clause.infer.whereClause, scope)
        if clause.infer.conname:
            self.add_constraint(clause.infer.conname, target, Operation.READ)

    def _update_or_delete(self, node: Any, outer: Scope) -> None:
        scope = self._with(node.withClause, outer)
        target = name_of(node.relation)
        self.add_relation(target, Operation.WRITE)
        scope.add(target, node.relation.alias.aliasname if node.relation.alias else target[1])
        is_update = isinstance(node, ast.UpdateStmt)
        self._from(node.fromClause if is_update else node.usingClause, scope)
        if is_update:
            self._targets(node.targetList, target, scope)
        self.visit_as(Operation.READ, node.whereClause, scope)
        scope.aliases |= {name: target for name in ("old", "new") if name not in scope.aliases}
        self._returning(node, scope)

    def _merge(self, node: Any, outer: Scope) -> None:
        scope = self._with(node.withClause, outer)
        target = name_of(node.relation)
        self.add_relation(target, Operation.WRITE)
        scope.add(target, node.relation.alias.aliasname if node.relation.alias else target[1])
        self._from([node.sourceRelation], scope)
        self.visit_as(Operation.READ, node.joinCondition, scope)
        for clause in node.mergeWhenClauses or ():
            self.visit_as(Operation.READ, clause.condition, scope)
            self.visit_as(Operation.READ, clause.values, scope)
            self._targets(clause.targetList, target, scope)
            if clause.values and not clause.targetList:
                self.add_relation(target, Operation.WRITE, is_whole=True)
        scope.aliases |= {name: target for name in ("old", "new") if name not in scope.aliases}
        self._returning(node, scope)

    def _returning(self, node: Any, scope: Scope) -> None:
        clause = getattr(node, "returningClause", None) or getattr(node, "returningList", None)
        self.visit_as(Operation.READ, clause, scope)

    def _targets(self, targets: Iterable[Any] | None, target: Name, scope: Scope) -> None:
        """The columns that a statement writes, and the values it writes."""
        for item in targets or ():
            self.add_column(item.name, ((target,),), Operation.WRITE)
            self.visit_as(Operation.READ, (item.val, item.indirection), scope)

    def _copy(self, node: Any, scope: Scope) -> None:
        self.visit(node.query, scope)
        if node.relation is None:
            return
        target = name_of(node.relation)
        operation = Operation.WRITE if node.is_from else Operation.READ
        self.add_relation(target, operation, is_whole=not node.attlist)
        for column in node.attlist or ():
            self.add_column(column.sval, ((target,),), operation)
        inner = Scope()
        inner.add(target, target[1])
        self.visit_as(Operation.READ, node.whereClause, inner)

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
                # `(x).y` and NEW.y look alike: some record's field, perhaps a column of that name.
                self.add_column(names[-1], scope.candidates(), Operation.READ)

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
