"""What foreign keys make of a use: who writes a row looks at other tables' rows, or changes them."""

from catalog.objects import Constraint, Relation
from ingest.grammar.references import Event
from ingest.grammar.stored import ForeignKey, foreign_key
from ingest.meaning.direct import Touch
from ingest.meaning.following import Following, writes
from ingest.schemas import Operation

_CASCADES = frozenset("cnd")
_SETS_DEFAULT = "d"


class ForeignKeyWalk(Following):
    """Follows written rows over foreign keys, in both directions."""

    def parents_of_rows(self, touch: Touch, relation: Relation, via: str | None) -> None:
        """The tables that foreign keys of written rows look at."""
        if touch.event not in ("insert", "update"):
            return
        for item in self.snapshot.constraints_of(relation.schema, relation.name):
            key = foreign_key(item.definition) if item.type == "f" else None
            if key is None or item.oid in self.seen or not any(writes(touch, name) for name in key.columns):
                continue
            parent = self.snapshot.relation(item.references_schema or "", item.references_table or "")
            table = self.world.table_of(parent.oid) if parent else None
            if parent is None or table is None:
                continue
            named = via or _foreign_key(item)
            self.use(table.element, Operation.READ, named, ambiguous=touch.ambiguous)
            unique = self._unique(parent, key)
            for name in key.keys or (unique.columns if unique else ()):
                column = self.world.column_of(parent.oid, name)
                self.use(column, Operation.READ, named, implicit=True, ambiguous=touch.ambiguous)
            if unique:
                element = self.world.constraint_of(unique)
                self.use(element, Operation.READ, named, implicit=True, ambiguous=touch.ambiguous)

    def _unique(self, parent: Relation, key: ForeignKey) -> Constraint | None:
        """The constraint that a foreign key relies on."""
        for item in self.snapshot.constraints_of(parent.schema, parent.name):
            if item.type == "p" and not key.keys:
                return item
            if item.type in "pu" and key.keys and set(item.columns) == set(key.keys):
                return item
        return None

    def children_of_rows(self, touch: Touch, relation: Relation, via: str | None) -> None:
        """The tables whose foreign keys look at written rows, and what happens to theirs."""
        if touch.event not in ("delete", "update", "cascade"):
            return
        for item in self.snapshot.references_to(relation.schema, relation.name):
            key = foreign_key(item.definition) if item.type == "f" else None
            child = self.snapshot.relation(item.schema, item.table)
            table = self.world.table_of(child.oid) if child else None
            if key is None or child is None or table is None:
                continue
            unique = self._unique(relation, key)
            keys = key.keys or (unique.columns if unique else ())
            if touch.event == "update" and not any(writes(touch, name) for name in keys):
                continue
            event = _done_to_child(touch.event, key)
            # What this key does to its rows needs no other look at this table.
            self.seen.add(item.oid)
            operation = Operation.WRITE if event else Operation.READ
            named = via or _foreign_key(item)
            self.use(table.element, operation, named, ambiguous=touch.ambiguous)
            for name in key.columns:
                column = self.world.column_of(child.oid, name)
                wrote = Operation.WRITE if event == "update" else Operation.READ
                self.use(column, wrote, named, implicit=True, ambiguous=touch.ambiguous)
            if event:
                columns = frozenset(key.columns) if event == "update" else None
                self.then(Touch(table, Operation.WRITE, event, columns, touch.ambiguous), named)
            if _SETS_DEFAULT in (key.on_update if touch.event == "update" else key.on_delete):
                # Its default is evaluated anew.
                columns = frozenset(key.columns)
                self.then(Touch(table, Operation.WRITE, "default", columns, touch.ambiguous), named)


def _done_to_child(event: Event, key: ForeignKey) -> Event | None:
    """What becomes of the rows that refer to a written row; None where they are only looked at."""
    if event == "cascade":
        return "cascade"
    if event == "delete":
        return "delete" if key.on_delete == "c" else "update" if key.on_delete in _CASCADES else None
    return "update" if key.on_update in _CASCADES else None


def _foreign_key(item: Constraint) -> str:
    return f"foreign key:{item.schema}.{item.table}.{item.name}"
