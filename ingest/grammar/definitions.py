"""Walks over definitions: what CREATE, ALTER, maintenance and their like name."""

from collections.abc import Iterable
from itertools import chain
from typing import Any

from pglast import ast
from pglast.enums import AlterTableType, DropBehavior, ObjectType, ReindexObjectType

from ingest.grammar.effects import effects_of
from ingest.grammar.expressions import Scope, last_two, name_of, strings
from ingest.grammar.function_bodies import BodyWalk
from ingest.grammar.references import Event, Name
from ingest.schemas import Operation

_CONSTRAINT_COMMANDS = frozenset(
    {
        AlterTableType.AT_DropConstraint,
        AlterTableType.AT_ValidateConstraint,
        AlterTableType.AT_AlterConstraint,
    }
)
# What these name is an index, or no element at all (a trigger, a rule, a tablespace).
_INDEX_COMMANDS = frozenset({AlterTableType.AT_ClusterOn})
_OTHER_COMMANDS = frozenset(
    {
        AlterTableType.AT_EnableTrig,
        AlterTableType.AT_EnableAlwaysTrig,
        AlterTableType.AT_EnableReplicaTrig,
        AlterTableType.AT_DisableTrig,
        AlterTableType.AT_EnableRule,
        AlterTableType.AT_EnableAlwaysRule,
        AlterTableType.AT_EnableReplicaRule,
        AlterTableType.AT_DisableRule,
        AlterTableType.AT_SetTableSpace,
        AlterTableType.AT_SetAccessMethod,
    }
)
# Event triggers do not fire for these; nor for a query, unless it is SELECT INTO.
_NO_DEFINITIONS = (
    ast.CallStmt,
    ast.CheckPointStmt,
    ast.ClosePortalStmt,
    ast.ClusterStmt,
    ast.ConstraintsSetStmt,
    ast.CopyStmt,
    ast.DeallocateStmt,
    ast.DeclareCursorStmt,
    ast.DeleteStmt,
    ast.DiscardStmt,
    ast.DoStmt,
    ast.ExecuteStmt,
    ast.ExplainStmt,
    ast.FetchStmt,
    ast.InsertStmt,
    ast.ListenStmt,
    ast.LoadStmt,
    ast.LockStmt,
    ast.MergeStmt,
    ast.NotifyStmt,
    ast.PrepareStmt,
    ast.SelectStmt,
    ast.TransactionStmt,
    ast.TruncateStmt,
    ast.UnlistenStmt,
    ast.UpdateStmt,
    ast.VacuumStmt,
    ast.VariableSetStmt,
    ast.VariableShowStmt,
)
_OWNED_BY = "owned_by"


class StatementWalk(BodyWalk):
    """Gathers what any statement refers to."""

    def statement(self, node: Any) -> None:
        """Gather what one statement of a string refers to."""
        # What no case below knows better is about the definition of things.
        self.operation = Operation.DDL
        self.is_definition |= not isinstance(node, _NO_DEFINITIONS)
        for effect in effects_of(node):
            self.add_effect(effect)
        self.visit(node, Scope())

    def visit(self, node: Any, scope: Scope) -> None:  # noqa: PLR0912, PLR0915 one case a kind of node
        """Gather what a node, and all below it, refers to."""
        match node:
            case ast.TruncateStmt():
                event: Event = "cascade" if node.behavior == DropBehavior.DROP_CASCADE else "truncate"
                for relation in node.relations or ():
                    self.add_relation(name_of(relation), Operation.WRITE, event=event)
            case ast.LockStmt():
                for relation in node.relations or ():
                    self.add_relation(name_of(relation), Operation.READ)
            case ast.RefreshMatViewStmt():
                self.add_relation(name_of(node.relation), Operation.DDL, event="refresh")
            case ast.DropStmt():
                for item in node.objects or ():
                    self.object(node.removeType, item)
            case ast.CommentStmt() | ast.SecLabelStmt() | ast.AlterExtensionContentsStmt():
                self.object(node.objtype, node.object)
            case ast.RenameStmt():
                self.rename(node)
            case ast.AlterOwnerStmt() | ast.AlterObjectSchemaStmt() | ast.AlterObjectDependsStmt():
                self.move(node.objectType, node)
            case ast.GrantStmt():
                self.grant(node)
            case ast.AlterTableStmt():
                self._alter_table(node, scope)
            case ast.CreateStmt():
                self._create_table(node, scope)
            case ast.IndexStmt():
                self._index(node, scope)
            case ast.ReindexStmt():
                self._reindex(node)
            case ast.ClusterStmt():
                self.visit(node.relation, scope)
                if node.relation and node.indexname:
                    self.add_index((node.relation.schemaname, node.indexname))
            case ast.VacuumStmt():
                for item in node.rels or ():
                    self.add_relation(name_of(item.relation), Operation.DDL)
                    self.columns_of(name_of(item.relation), item.va_cols)
            case ast.AlterEnumStmt():
                self.visit_type(node.typeName)
                if node.oldVal:
                    self.is_literal_sensitive = True
                    self.add_label(last_two(strings(node.typeName)), node.oldVal, Operation.DDL)
            case ast.AlterDomainStmt() | ast.AlterTypeStmt():
                self.visit_type(node.typeName)
                self.visit_children(node, scope, but=("typeName",))
            case ast.ConstraintsSetStmt():
                for item in node.constraints or ():
                    self.add_constraint(name_of(item)[1], None, Operation.DDL)
            case ast.CreateTrigStmt():
                self._on_table(node.relation, node.whenClause, names=("old", "new"))
                self.columns_of(name_of(node.relation), node.columns)
                self.visit(node.constrrel, scope)
            case ast.RuleStmt():
                # Its actions run later.
                inner = StatementWalk(self.read)
                inner.rule(node)
                self.add_all(inner.references(), defines=True)
            case ast.CreatePolicyStmt() | ast.AlterPolicyStmt():
                self._on_table(node.table, node.qual, node.with_check)
            case ast.CreateStatsStmt():
                for relation in node.relations or ():
                    self._statistics(relation, node.exprs)
            case ast.PublicationTable():
                self._on_table(node.relation, node.whereClause)
                self.columns_of(name_of(node.relation), node.columns)
            case ast.CreateSeqStmt() | ast.AlterSeqStmt():
                self.visit(node.sequence, scope)
                self._owner(node.options)
            case ast.DoStmt():
                self.do(node)
            case ast.CreateFunctionStmt():
                self.function(node, scope)
            case ast.VariableSetStmt():
                self.is_literal_sensitive |= node.name == "search_path"
            case _:
                super().visit(node, scope)

    def rule(self, node: Any) -> None:
        """What a rule's condition and actions refer to, as if they ran."""
        self._on_table(node.relation, node.whereClause, node.actions, names=("old", "new"))

    def _on_table(self, relation: Any, *parts: Any, names: tuple[str, ...] = ()) -> None:
        """A table, and expressions about one row of it; `names` stand for that row too."""
        target = name_of(relation)
        self.add_relation(target, Operation.DDL)
        scope = Scope()
        scope.add(target, target[1])
        scope.aliases |= dict.fromkeys(names, target)
        for part in parts:
            self.visit(part, scope)

    def _create_table(self, node: Any, scope: Scope) -> None:
        target = name_of(node.relation)
        self.add_relation(target, Operation.DDL)
        for item in node.tableElts or ():
            if isinstance(item, ast.TableLikeClause):
                self.add_relation(name_of(item.relation), Operation.DDL, is_whole=True)
            else:
                self.visit(item, scope)
                self._constraint_parts(item, target)
        for parent in node.inhRelations or ():
            self.add_relation(name_of(parent), Operation.DDL, is_whole=True)
        self.visit((node.partbound, node.ofTypename), scope)

    def _alter_table(self, node: Any, outer: Scope) -> None:
        target = name_of(node.relation)
        self.relation_object(node.objtype, target)
        scope = Scope(outer)
        scope.add(target, target[1])
        for command in node.cmds or ():
            if command.subtype in _CONSTRAINT_COMMANDS and command.name:
                self.add_constraint(command.name, target, Operation.DDL)
            elif command.subtype in _INDEX_COMMANDS and command.name:
                self.add_index((target[0], command.name))
            elif command.name and command.subtype not in _OTHER_COMMANDS:
                self.add_column(command.name, ((target,),), Operation.DDL)
            if node.objtype == ObjectType.OBJECT_INDEX and isinstance(command.def_, ast.PartitionCmd):
                self.add_index(name_of(command.def_.name))
            else:
                self.visit_children(command, scope)
            if command.subtype == AlterTableType.AT_AlterConstraint and getattr(
                command.def_, "conname", None
            ):
                self.add_constraint(command.def_.conname, target, Operation.DDL)
            self._constraint_parts(command.def_, target)

    def _constraint_parts(self, node: Any, target: Name) -> None:
        match node:
            case ast.ColumnDef():
                for constraint in node.constraints or ():
                    self._constraint_parts(constraint, target)
            case ast.Constraint():
                self.columns_of(target, chain(node.keys or (), node.fk_attrs or (), node.including or ()))
                if node.indexname:
                    self.add_index((target[0], node.indexname))
                if node.pktable:
                    self.columns_of(name_of(node.pktable), node.pk_attrs)
            case ast.ReplicaIdentityStmt():
                if node.name:
                    self.add_index((target[0], node.name))
            case _:
                return

    def _index(self, node: Any, outer: Scope) -> None:
        target = name_of(node.relation)
        self.add_relation(target, Operation.DDL)
        scope = Scope(outer)
        scope.add(target, target[1])
        for element in chain(node.indexParams or (), node.indexIncludingParams or ()):
            if element.name:
                self.add_column(element.name, ((target,),), Operation.DDL)
            self.visit(element.expr, scope)
        self.visit(node.whereClause, scope)

    def _statistics(self, relation: Any, expressions: Iterable[Any] | None) -> None:
        if not isinstance(relation, ast.RangeVar):
            return
        target = name_of(relation)
        self._on_table(relation, *(element.expr for element in expressions or ()))
        for element in expressions or ():
            if element.name:
                self.add_column(element.name, ((target,),), Operation.DDL)

    def _reindex(self, node: Any) -> None:
        if node.relation is None:
            return
        if node.kind == ReindexObjectType.REINDEX_OBJECT_INDEX:
            self.add_index(name_of(node.relation))
        else:
            self.add_relation(name_of(node.relation), Operation.DDL)

    def _owner(self, options: Iterable[Any] | None) -> None:
        """OWNED BY table.column of a sequence."""
        for option in options or ():
            names = strings(option.arg) if option.defname == _OWNED_BY else []
            if len(names) > 1:
                target = last_two(names[:-1])
                self.add_relation(target, Operation.DDL)
                self.add_column(names[-1], ((target,),), Operation.DDL)
