"""What follows from a use: the elements that the server touches although no statement names them.

Views read tables, functions and triggers run statements, foreign keys look at the other side, policies,
defaults and generated columns are evaluated, partitions hold what their parent shows. docs/accesses.md says
in words what counts as which use.
"""

from collections.abc import Iterable
from dataclasses import replace

from catalog.objects import CHILDREN, Column, Function, Relation, StoredUse, Trigger
from ingest.grammar.parse import body_references
from ingest.grammar.paths import as_path
from ingest.grammar.plpgsql import is_stored_parsed
from ingest.grammar.references import Event, SetPath
from ingest.grammar.stored import rule_text
from ingest.meaning.direct import Direct, DirectWalk, Touch
from ingest.meaning.following import writes
from ingest.meaning.foreign_keys import ForeignKeyWalk
from ingest.meaning.tables import Table
from ingest.schemas import Operation

# Of a table with more partitions only those in the attic get the uses of the whole: rows have to stay few.
_FEW_CHILDREN = 32
# Their body is no text.
_COMPILED = frozenset({"c", "internal"})
_MOVES: tuple[Event, ...] = ("delete", "insert")


class Closure(ForeignKeyWalk):
    """Follows uses until nothing new comes; each thing is looked at once."""

    def follow(self, found: Direct) -> None:
        """Everything that follows from what a statement names."""
        self.queue(found, None, None)
        while self.touches or self.functions:
            if self.touches:
                self._touch(*self.touches.popleft())
            else:
                self._function(*self.functions.popleft())

    def _function(self, function: Function, ambiguous: bool, via: str, row: Table | None) -> None:
        if function.body is None or function.language in _COMPILED:
            return
        found = body_references(function.language, function.body)
        path = self.path if function.search_path is None else as_path(function.search_path, "")
        is_parsed = is_stored_parsed(function.language, function.body)
        world = self.world.present if is_parsed else self.world
        walk = DirectWalk(world, path, {"new": row, "old": row} if row else None)
        walk.take(found)
        for use in walk.found.uses:
            self.use(
                use.element,
                use.operation,
                via,
                implicit=use.implicit,
                ambiguous=use.ambiguous or ambiguous,
            )
        self.queue(walk.found, via, row)
        for call in self.snapshot.calls_by(function.name):
            called = self.snapshot.functions_by_oid.get(call.function_oid)
            if (call.kind, call.schema) == ("function", function.schema) and called:
                self.call(called, ambiguous=ambiguous, via=via)
        if function.search_path is None:
            self.effects += (
                SetPath((), effect.is_local) for effect in found.effects if isinstance(effect, SetPath)
            )

    def _touch(self, touch: Touch, via: str | None) -> None:
        relation = self.snapshot.relations_by_oid.get(touch.table.oid)
        if relation is None:
            return
        if touch.event == "refresh" or (relation.kind == "v" and touch.operation is not Operation.DDL):
            self._view(touch, relation, via)
        elif touch.operation is not Operation.DDL:
            self._policies(touch, relation, via)
        if touch.event is not None:
            self._triggers(touch, relation, via)
            self._rules(touch, relation, via)
            self._expressions(touch, relation, via)
            self.parents_of_rows(touch, relation, via)
            self.children_of_rows(touch, relation, via)
        if touch.event == "update" and relation.kind == "p":
            # A row whose key changes moves: it is deleted from one partition and inserted into another.
            for event in _MOVES:
                moved = replace(touch, event=event, columns=None)
                self._triggers(moved, relation, via)
                self.parents_of_rows(moved, relation, via)
        self._family(touch, relation, via)

    def _view(self, touch: Touch, view: Relation, via: str | None) -> None:
        kind = "matview" if view.kind == "m" else "view"
        via = via or f"{kind}:{touch.table.schema}.{touch.table.name}"
        base = None if touch.event in (None, "refresh") else self._base(touch, view, via)
        for table, column in self.world.read_by(view):
            is_base = base is not None and table.oid == base.oid
            if base and touch.event == "insert" and not is_base:
                continue
            # Who writes to a view that is not understood may write to all of what it shows.
            operation = Operation.READ
            if is_base:
                operation = touch.operation
            self.use(table.element, operation, via, ambiguous=touch.ambiguous)
            # No row is read to add one.
            if touch.event != "insert" or not is_base:
                self.use(column, Operation.READ, via, implicit=True, ambiguous=touch.ambiguous)
            self.then(Touch(table, Operation.READ, ambiguous=touch.ambiguous), via)
        self._calls(view, "view", via)

    def _base(self, touch: Touch, view: Relation, via: str) -> Table | None:
        """The table that writing to a view writes to; follows that use."""
        place = (view.schema, view.name)
        rules = [text for rule in self.snapshot.rules_of(*place) if (text := rule_text(rule.definition))]
        is_instead = any(t.is_instead and touch.event in t.events for t in self.snapshot.triggers_of(*place))
        if is_instead or any(rule.event == touch.event for rule in rules):
            return None
        shown = next((rule for rule in rules if rule.event == "select"), None)
        if shown is None or shown.base is None:
            return None
        found = self.snapshot.relation(shown.base[0] or "", shown.base[1])
        base = self.world.table_of(found.oid) if found else None
        if base is None:
            return None
        behind = dict(shown.shown)
        names = (
            behind.values() if touch.columns is None else (behind[c] for c in touch.columns if c in behind)
        )
        written = frozenset(names)
        for name in sorted(written) if touch.event in ("insert", "update") else ():
            self.use(
                self.world.column_of(base.oid, name),
                Operation.WRITE,
                via,
                implicit=True,
                ambiguous=touch.ambiguous,
            )
        columns = None if touch.columns is None else written
        self.then(Touch(base, Operation.WRITE, touch.event, columns, touch.ambiguous), via)
        return base

    def _policies(self, touch: Touch, relation: Relation, via: str | None) -> None:
        for use in self.snapshot.stored_uses_on(relation.schema, relation.name):
            if use.kind == "policy":
                named = via or f"policy:{relation.schema}.{relation.name}.{use.name}"
                self._stored(use, Operation.READ, named, ambiguous=touch.ambiguous)
        self._calls(relation, "policy", via)

    def _stored(self, use: StoredUse, operation: Operation, via: str, *, ambiguous: bool = False) -> None:
        """What a stored object refers to; its own table is in use anyway."""
        used = self.snapshot.relation(use.used_schema, use.used_name)
        table = self.world.table_of(used.oid) if used and use.used_kind == "relation" else None
        is_own = table is not None and (use.schema, use.relation) == (use.used_schema, use.used_name)
        if is_own and use.kind in ("default", "generated column") and use.used_column == use.name:
            return
        for element in self.world.elements_of(use):
            if not (is_own and table and element == table.element):
                self.use(element, operation, via, implicit=True, ambiguous=ambiguous)
        if table and not is_own:
            self.then(Touch(table, operation, ambiguous=ambiguous), via)

    def _calls(
        self, relation: Relation, kind: str, via: str | None, names: Iterable[str] | None = None
    ) -> None:
        """The functions that the stored objects of a relation call."""
        for call in self.snapshot.calls_of(relation.schema, relation.name):
            function = self.snapshot.functions_by_oid.get(call.function_oid)
            if call.kind == kind and function and (names is None or call.name in names):
                named = f"{kind}:{relation.schema}.{relation.name}.{call.name}"
                self.call(function, ambiguous=False, via=via or named)

    def _triggers(self, touch: Touch, relation: Relation, via: str | None) -> None:
        for trigger in self.snapshot.triggers_of(relation.schema, relation.name):
            if not _fires(trigger, touch):
                continue
            named = via or f"trigger:{trigger.schema}.{trigger.table}.{trigger.name}"
            for use in self.snapshot.stored_uses_on(relation.schema, relation.name):
                if use.kind == "trigger" and use.name == trigger.name:
                    self._stored(use, Operation.READ, named, ambiguous=touch.ambiguous)
            self._calls(relation, "trigger", named, (trigger.name,))
            for function in self.snapshot.functions_called(trigger.function_name):
                if function.schema == trigger.function_schema:
                    self.call(function, ambiguous=touch.ambiguous, via=named, row=touch.table)

    def _rules(self, touch: Touch, relation: Relation, via: str | None) -> None:
        for rule in self.snapshot.rules_of(relation.schema, relation.name):
            text = rule_text(rule.definition)
            if text is None or text.event != touch.event:
                continue
            named = via or f"rule:{relation.schema}.{relation.name}.{rule.name}"
            walk = DirectWalk(self.world.present, None)
            walk.take(text.references)
            for use in walk.found.uses:
                if use.operation is not Operation.DDL:
                    self.use(use.element, use.operation, named, implicit=use.implicit)
            for then in walk.found.touches:
                if then.operation is not Operation.DDL:
                    self.then(then, named)
            for function, ambiguous in walk.found.functions:
                self.call(function, ambiguous=ambiguous, via=named)

    def _expressions(self, touch: Touch, relation: Relation, via: str | None) -> None:
        """Defaults and generated columns of what is written; functions that constraints and indexes call."""
        if touch.event not in ("insert", "update", "default"):
            return
        stored = self.snapshot.stored_uses_on(relation.schema, relation.name)
        generated = {u.name for u in stored if u.kind == "generated column" and writes(touch, u.used_column)}
        defaults = {c.name for c in relation.columns if c.default is not None and writes(touch, c.name)}
        names = {
            "generated column": generated,
            "default": defaults if touch.event != "update" else set[str](),
        }
        for use in stored:
            if use.name in names.get(use.kind, ()):
                named = via or f"{use.kind}:{relation.schema}.{relation.name}.{use.name}"
                used = self.snapshot.relation(use.used_schema, use.used_name)
                is_sequence = used is not None and used.kind == "S" and use.used_kind == "relation"
                operation = Operation.WRITE if is_sequence else Operation.READ
                self._stored(use, operation, named, ambiguous=touch.ambiguous)
        for name in sorted(generated):
            named = via or f"generated column:{relation.schema}.{relation.name}.{name}"
            column = self.world.column_of(relation.oid, name)
            self.use(column, Operation.WRITE, named, implicit=True, ambiguous=touch.ambiguous)
        if touch.event == "insert":
            for sequence in self.snapshot.sequences_of(relation.schema, relation.name):
                table = self.world.table_of(sequence.oid)
                if sequence.is_identity and table:
                    named = via or f"identity:{relation.schema}.{relation.name}.{sequence.used_by_column}"
                    self.use(table.element, Operation.WRITE, named, implicit=True, ambiguous=touch.ambiguous)
        for each in relation.columns:
            if writes(touch, each.name):
                self._domain(each, via)
        for kind in ("default", "generated column", "constraint", "index"):
            self._calls(relation, kind, via, names.get(kind))

    def _domain(self, column: Column, via: str | None) -> None:
        """The functions that the checks of a column's domain call."""
        schema, _, name = column.type.removesuffix("[]").rpartition(".")
        for call in self.snapshot.calls_by(name.strip('"')):
            function = self.snapshot.functions_by_oid.get(call.function_oid)
            if (call.kind, call.schema) == ("domain", schema.strip('"')) and function:
                self.call(function, ambiguous=False, via=via or f"domain:{call.schema}.{call.name}")

    def _family(self, touch: Touch, relation: Relation, via: str | None) -> None:
        """Partitions and inheriting tables of a table, and the tables that it is one of."""
        place = (relation.schema, relation.name)
        named = via or f"table:{touch.table.schema}.{touch.table.name}"
        children = [
            child
            for use in self.snapshot.stored_uses_of("relation", *place)
            if use.kind in CHILDREN
            and use.used_column is None
            and (child := self.snapshot.relation(use.schema, use.name))
        ]
        for child in children:
            table = self.world.table_of(child.oid)
            is_tracked = table is not None and table.element in self.world.attic
            if table and (is_tracked or len(children) <= _FEW_CHILDREN):
                self.use(table.element, touch.operation, named, implicit=True, ambiguous=touch.ambiguous)
                self.then(Touch(table, touch.operation, ambiguous=touch.ambiguous), named)
        for parent in self.world.ancestors(relation.oid):
            self.use(parent.element, touch.operation, named, implicit=True, ambiguous=touch.ambiguous)


def _fires(trigger: Trigger, touch: Touch) -> bool:
    event = "truncate" if touch.event == "cascade" else touch.event
    if event not in trigger.events:
        return False
    return event != "update" or not trigger.columns or any(writes(touch, name) for name in trigger.columns)
