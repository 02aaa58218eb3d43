"""Walks over definitions: what ALTER, DROP, CREATE INDEX, COMMENT and their like name."""

from collections.abc import Iterable
from itertools import chain
from typing import Any

from pglast import ast
from pglast.enums import AlterTableType, ObjectType, ReindexObjectType

from ingest.queries import QueryWalk, Scope, last_two, name_of, strings
from ingest.references import Name
from ingest.schemas import Operation

_RELATION_OBJECTS = frozenset(
    {
        ObjectType.OBJECT_TABLE,
        ObjectType.OBJECT_VIEW,
        ObjectType.OBJECT_MATVIEW,
        ObjectType.OBJECT_SEQUENCE,
        ObjectType.OBJECT_FOREIGN_TABLE,
    }
)
# Their last name belongs to the relation that the names before it say.
_PARTS_OF_RELATIONS = frozenset(
    {
        ObjectType.OBJECT_COLUMN,
        ObjectType.OBJECT_TABCONSTRAINT,
        ObjectType.OBJECT_TRIGGER,
        ObjectType.OBJECT_POLICY,
        ObjectType.OBJECT_RULE,
    }
)
_TYPE_OBJECTS = frozenset({ObjectType.OBJECT_TYPE, ObjectType.OBJECT_DOMAIN})
_CONSTRAINT_COMMANDS = frozenset(
    {
        AlterTableType.AT_DropConstraint,
        AlterTableType.AT_ValidateConstraint,
        AlterTableType.AT_AlterConstraint,
    }
)
_INDEX_COMMANDS = frozenset({AlterTableType.AT_ClusterOn})


class StatementWalk(QueryWalk):
    """Gathers what any statement refers to."""

    def statement(self, node: Any) -> None:
        """Gather what one statement of a string refers to."""
        # What no case below knows better is about the definition of things.
        self.operation = Operation.DDL
        self.visit(node, Scope())

    def visit(self, node: Any, scope: Scope) -> None:  # noqa: PLR0912 one case a kind of node
        """Gather what a node, and all below it, refers to."""
        match node:
            case ast.TruncateStmt():
                self._all(node.relations, Operation.WRITE)
            case ast.LockStmt():
                self._all(node.relations, Operation.READ)
            case ast.DropStmt():
                for item in node.objects or ():
                    self._object(node.removeType, item)
            case ast.CommentStmt():
                self._object(node.objtype, node.object)
            case ast.RenameStmt():
                self._rename(node)
            case ast.AlterTableStmt():
                self._alter_table(node, scope)
            case ast.IndexStmt():
                self._index(node, scope)
            case ast.ReindexStmt():
                self._reindex(node)
            case ast.ClusterStmt():
                self.visit(node.relation, scope)
                self._index_name((None, node.indexname))
            case ast.AlterEnumStmt():
                self.visit_type(node.typeName)
            case ast.ConstraintsSetStmt():
                for item in node.constraints or ():
                    self.add_constraint(name_of(item)[1], None, Operation.DDL)
            case _:
                super().visit(node, scope)

    def _rename(self, node: Any) -> None:
        if node.renameType == ObjectType.OBJECT_INDEX:
            self._index_name(name_of(node.relation))
            return
        if node.relation is None:
            self._object(node.renameType, node.object)
            return
        target = name_of(node.relation)
        self.add_relation(target, Operation.DDL)
        if node.renameType == ObjectType.OBJECT_COLUMN:
            self.add_column(node.subname, ((target,),), Operation.DDL)
        elif node.renameType == ObjectType.OBJECT_TABCONSTRAINT:
            self.add_constraint(node.subname, target, Operation.DDL)

    def _alter_table(self, node: Any, scope: Scope) -> None:
        target = name_of(node.relation)
        if node.objtype == ObjectType.OBJECT_INDEX:
            self._index_name(target)
            return
        self.add_relation(target, Operation.DDL)
        for command in node.cmds or ():
            if command.subtype in _CONSTRAINT_COMMANDS and command.name:
                self.add_constraint(command.name, target, Operation.DDL)
            elif command.subtype in _INDEX_COMMANDS and command.name:
                self._index_name((target[0], command.name))
            elif command.name:
                self.add_column(command.name, ((target,),), Operation.DDL)
            self.visit_children(command, scope)
            self._constraint_parts(command.def_, target)

    def _constraint_parts(self, node: Any, target: Name) -> None:
        match node:
            case ast.Constraint():
                for key in chain(node.keys or (), node.fk_attrs or ()):
                    self.add_column(key.sval, ((target,),), Operation.DDL)
                if node.indexname:
                    self._index_name((target[0], node.indexname))
                for key in node.pk_attrs or ():
                    self.add_column(key.sval, ((name_of(node.pktable),),), Operation.DDL)
            case ast.ReplicaIdentityStmt():
                if node.name:
                    self._index_name((target[0], node.name))
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

    def _reindex(self, node: Any) -> None:
        if node.relation is None:
            return
        if node.kind == ReindexObjectType.REINDEX_OBJECT_INDEX:
            self._index_name(name_of(node.relation))
        else:
            self.add_relation(name_of(node.relation), Operation.DDL)

    def _object(self, kind: Any, item: Any) -> None:
        """An object of DROP, COMMENT or RENAME: a list of names, or a type."""
        if isinstance(item, ast.TypeName):
            self.visit_type(item.names)
            return
        if not isinstance(item, (tuple, list)):
            return
        names = strings(item)
        if not names:
            return
        if kind == ObjectType.OBJECT_INDEX:
            self._index_name(last_two(names))
        elif kind in _RELATION_OBJECTS:
            self.add_relation(last_two(names), Operation.DDL)
        elif kind in _TYPE_OBJECTS:
            self.visit_type(item)
        elif kind in _PARTS_OF_RELATIONS and len(names) > 1:
            target = last_two(names[:-1])
            self.add_relation(target, Operation.DDL)
            if kind == ObjectType.OBJECT_COLUMN:
                self.add_column(names[-1], ((target,),), Operation.DDL)
            elif kind == ObjectType.OBJECT_TABCONSTRAINT:
                self.add_constraint(names[-1], target, Operation.DDL)

    def _all(self, nodes: Iterable[Any] | None, operation: Operation) -> None:
        for node in nodes or ():
            self.add_relation(name_of(node), operation)

    def _index_name(self, name: tuple[str | None, str | None]) -> None:
        if name[1]:
            self.add_index((name[0], name[1]))
