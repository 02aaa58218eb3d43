"""Walks over what commands about objects of any kind name: DROP, COMMENT, RENAME, OWNER TO, GRANT."""

from collections.abc import Iterable
from typing import Any

from pglast import ast
from pglast.enums import GrantTargetType, ObjectType

from ingest.grammar.expressions import last_two, name_of, strings
from ingest.grammar.queries import QueryWalk
from ingest.grammar.references import Name
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


class ObjectWalk(QueryWalk):
    """Gathers what commands name whose grammar leaves the kind of object to a field of theirs."""

    def object(self, kind: Any, item: Any) -> None:
        """An object by its kind: a list of names, a type, or a function with its arguments."""
        match item:
            case ast.TypeName():
                self.visit_type(item.names)
            case ast.RangeVar():
                self.relation_object(kind, name_of(item))
            case ast.ObjectWithArgs():
                for argument in item.objargs or ():
                    self.object(ObjectType.OBJECT_TYPE, argument)
            case tuple() if item and isinstance(item[0], ast.TypeName):
                # A constraint of a domain, a transform, a cast: types and a name.
                for part in item:
                    self.object(ObjectType.OBJECT_TYPE, part)
            case tuple():
                self._named(kind, strings(item))
            case _:
                return

    def relation_object(self, kind: Any, name: Name) -> None:
        """A relation, or an index, which the grammar writes as one."""
        if kind == ObjectType.OBJECT_INDEX:
            self.add_index(name)
        else:
            self.add_relation(name, Operation.DDL)

    def rename(self, node: Any) -> None:
        """RENAME of anything."""
        if node.relation is None:
            self.object(node.renameType, node.object)
            return
        target = name_of(node.relation)
        self.relation_object(node.renameType, target)
        if node.renameType in (ObjectType.OBJECT_COLUMN, ObjectType.OBJECT_ATTRIBUTE):
            self.add_column(node.subname, ((target,),), Operation.DDL)
        elif node.renameType == ObjectType.OBJECT_TABCONSTRAINT:
            self.add_constraint(node.subname, target, Operation.DDL)

    def move(self, kind: Any, node: Any) -> None:
        """OWNER TO, SET SCHEMA and DEPENDS ON EXTENSION."""
        if node.relation is None:
            self.object(kind, node.object)
        else:
            self.relation_object(kind, name_of(node.relation))

    def grant(self, node: Any) -> None:
        """GRANT and REVOKE; those on all tables of a schema name none of them."""
        if node.targtype != GrantTargetType.ACL_TARGET_OBJECT:
            return
        for item in node.objects or ():
            self.object(node.objtype, item)
        columns = [column.sval for privilege in node.privileges or () for column in privilege.cols or ()]
        for item in node.objects or ():
            if isinstance(item, ast.RangeVar):
                for column in columns:
                    self.add_column(column, ((name_of(item),),), Operation.DDL)

    def _named(self, kind: Any, names: list[str]) -> None:
        if not names:
            return
        if kind == ObjectType.OBJECT_INDEX:
            self.add_index(last_two(names))
        elif kind in _RELATION_OBJECTS:
            self.add_relation(last_two(names), Operation.DDL)
        elif kind in _TYPE_OBJECTS:
            self.add_type(last_two(names), Operation.DDL)
        elif kind in _PARTS_OF_RELATIONS and len(names) > 1:
            target = last_two(names[:-1])
            self.add_relation(target, Operation.DDL)
            if kind == ObjectType.OBJECT_COLUMN:
                self.add_column(names[-1], ((target,),), Operation.DDL)
            elif kind == ObjectType.OBJECT_TABCONSTRAINT:
                self.add_constraint(names[-1], target, Operation.DDL)

    def columns_of(self, target: Name, columns: Iterable[Any] | None) -> None:
        """Columns of a relation by their names alone."""
        for column in columns or ():
            self.add_column(column.sval, ((target,),), Operation.DDL)
