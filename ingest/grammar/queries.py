"""Walks over queries: SELECT, INSERT, UPDATE, DELETE, MERGE, COPY."""

from collections.abc import Iterable
from typing import Any

from pglast import ast
from pglast.enums import CmdType, SetOperation

from ingest.grammar.expressions import ExpressionWalk, Scope, name_of
from ingest.grammar.references import Event, Name
from ingest.schemas import Operation

_MERGE_EVENTS: dict[CmdType, Event] = {
    CmdType.CMD_INSERT: "insert",
    CmdType.CMD_UPDATE: "update",
    CmdType.CMD_DELETE: "delete",
}


class QueryWalk(ExpressionWalk):
    """Gathers what queries refer to."""

    def visit(self, node: Any, scope: Scope) -> None:
        """Gather what a node, and all below it, refers to."""
        match node:
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
            case _:
                super().visit(node, scope)

    def _select(self, node: Any, outer: Scope) -> None:
        scope = self._with(node.withClause, outer)
        self.visit(node.intoClause, scope)
        self.is_definition |= node.intoClause is not None
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
        ctes = clause.ctes if clause else ()
        if clause and clause.recursive:
            scope.ctes |= {cte.ctename for cte in ctes}
        for cte in ctes:
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
                    # With other names for its columns, which of them are meant stands nowhere.
                    renames = bool(item.alias and item.alias.colnames)
                    self.add_relation(name, Operation.READ, is_whole=renames)
                    scope.add(name, alias or name[1])
            case ast.JoinExpr():
                self._join(item, scope, conditions)
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

    def _join(self, item: Any, scope: Scope, conditions: list[Any]) -> None:
        before = len(scope.relations)
        self._from_item(item.larg, scope, conditions)
        between = len(scope.relations)
        self._from_item(item.rarg, scope, conditions)
        conditions.append(item.quals)
        left, right = tuple(scope.relations[before:between]), tuple(scope.relations[between:])
        if item.isNatural:
            self.add_natural(left, right)
        for column in item.usingClause or ():
            for relation in (*left, *right):
                self.add_column(column.sval, ((relation,),), Operation.READ)

    def _insert(self, node: Any, outer: Scope) -> None:
        scope = self._with(node.withClause, outer)
        target = name_of(node.relation)
        is_whole = not node.cols and node.selectStmt is not None
        self.add_relation(target, Operation.WRITE, is_whole=is_whole, event="insert")
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
        if clause.targetList:
            self.add_relation(target, Operation.WRITE, event="update")
        self._targets(clause.targetList, target, scope)
        if clause.infer is None:
            self.add_key(target, frozenset())
            return
        for element in clause.infer.indexElems or ():
            if element.name:
                self.add_column(element.name, ((target,),), Operation.READ)
            self.visit_as(Operation.READ, element.expr, scope)
        self.visit_as(Operation.READ, clause.infer.whereClause, scope)
        if clause.infer.conname:
            self.add_constraint(clause.infer.conname, target, Operation.READ)
        else:
            names = (element.name for element in clause.infer.indexElems or ())
            self.add_key(target, frozenset(name for name in names if name))

    def _update_or_delete(self, node: Any, outer: Scope) -> None:
        scope = self._with(node.withClause, outer)
        target = name_of(node.relation)
        is_update = isinstance(node, ast.UpdateStmt)
        self.add_relation(target, Operation.WRITE, event="update" if is_update else "delete")
        scope.add(target, node.relation.alias.aliasname if node.relation.alias else target[1])
        self._from(node.fromClause if is_update else node.usingClause, scope)
        if is_update:
            self._targets(node.targetList, target, scope)
        self.visit_as(Operation.READ, node.whereClause, scope)
        scope.aliases |= {name: target for name in ("old", "new") if name not in scope.aliases}
        self._returning(node, scope)

    def _merge(self, node: Any, outer: Scope) -> None:
        scope = self._with(node.withClause, outer)
        target = name_of(node.relation)
        scope.add(target, node.relation.alias.aliasname if node.relation.alias else target[1])
        events = {_MERGE_EVENTS.get(clause.commandType) for clause in node.mergeWhenClauses or ()}
        for event in sorted(found for found in events if found) or (None,):
            self.add_relation(target, Operation.WRITE, event=event)
        self._from([node.sourceRelation], scope)
        self.visit_as(Operation.READ, node.joinCondition, scope)
        for clause in node.mergeWhenClauses or ():
            self.visit_as(Operation.READ, clause.condition, scope)
            self.visit_as(Operation.READ, clause.values, scope)
            self._targets(clause.targetList, target, scope)
            if clause.values and not clause.targetList:
                self.add_relation(target, Operation.WRITE, is_whole=True, event="insert")
        scope.aliases |= {name: target for name in ("old", "new") if name not in scope.aliases}
        self._returning(node, scope)

    def _returning(self, node: Any, scope: Scope) -> None:
        clause = node.returningClause
        if clause is None:
            return
        target = scope.aliases["new"]
        # RETURNING WITH (OLD AS o, NEW AS n) gives them other names.
        scope.aliases |= {option.value: target for option in clause.options or ()}
        self.visit_as(Operation.READ, clause.exprs, scope)

    def _targets(self, targets: Iterable[Any] | None, target: Name, scope: Scope) -> None:
        """The columns that a statement writes, and the values it writes."""
        for item in targets or ():
            self.add_column(item.name, ((target,),), Operation.WRITE)
            if isinstance(item.val, ast.SetToDefault):
                self.add_relation(target, Operation.WRITE, event="default")
            self.visit_as(Operation.READ, (item.val, item.indirection), scope)

    def _copy(self, node: Any, scope: Scope) -> None:
        self.visit(node.query, scope)
        if node.relation is None:
            return
        target = name_of(node.relation)
        operation = Operation.WRITE if node.is_from else Operation.READ
        event: Event | None = "insert" if node.is_from else None
        self.add_relation(target, operation, is_whole=not node.attlist, event=event)
        for column in node.attlist or ():
            self.add_column(column.sval, ((target,),), operation)
        inner = Scope()
        inner.add(target, target[1])
        self.visit_as(Operation.READ, node.whereClause, inner)
