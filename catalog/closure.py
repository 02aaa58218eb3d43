"""What live things refer to an element: the reason why it is used although nobody says its name.

Views, policies, triggers and foreign keys hold on to an element by its OID and follow a rename silently;
bodies of functions are texts, and a text that mentions the name counts as a use: when in doubt, an element
is in use.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from catalog.attic import AtticEntry
from catalog.elements import Element, Kind, quote_identifier
from catalog.objects import CHILDREN, Function, Index, StoredUse
from catalog.snapshot import Snapshot
from catalog.words import is_word, words

_ELEMENT_KINDS = {
    "view": Kind.VIEW,
    "materialized view": Kind.MATVIEW,
    "partition": Kind.TABLE,
    "inheriting table": Kind.TABLE,
}
# Parts of a table that go where it goes and do not use it on anybody's behalf.
_OWN_PARTS = frozenset({"constraint", "default", "generated column", "index", "policy", "rule", "trigger"})


@dataclass(frozen=True, order=True, slots=True)
class Dependant:
    """A live thing that refers to an element: `view public.active_users reads it`.

    `part_of` is the element that it is or belongs to, as `table:public.orders` for a foreign key of orders:
    where that goes into the attic too, it is no dependant any more. Empty where it is no part of an element.
    """

    kind: str
    name: str
    how: str
    part_of: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.kind} {self.name} {self.how}"


def dependants(
    snapshot: Snapshot, element: Element, *, known_as: Collection[str] = ()
) -> tuple[Dependant, ...]:
    """Everything live that refers to an element, sorted; its own parts are left out.

    `element` has its present name; `known_as` are further names under which bodies of functions may mention
    it, as its former one. A thing that refers to it in two ways is named once.
    """
    found: dict[tuple[str, str], Dependant] = {}
    for dependant in (
        *_by_reference(snapshot, element),
        *_through_shim(snapshot, element),
        *_by_signature(snapshot, element),
        *_by_parent(snapshot, element),
        *_by_mention(snapshot, element, {element.name, *known_as}),
    ):
        found.setdefault((dependant.kind, dependant.name), dependant)
    return tuple(sorted(found.values()))


def present_element(snapshot: Snapshot, entry: AtticEntry) -> Element | None:
    """The element of an entry under the name that it has now, found by its OID, or None where it is gone.

    The name can be another than `entry.deprecated_name` where somebody renamed it by hand; a column is found
    by that name alone, in its table.
    """
    oid, kind = entry.object_oid, entry.element.kind
    match kind:
        case Kind.TABLE | Kind.VIEW | Kind.MATVIEW | Kind.SEQUENCE:
            relation = snapshot.relations_by_oid.get(oid)
            return Element(kind, relation.schema, relation.name) if relation else None
        case Kind.COLUMN:
            table = snapshot.relations_by_oid.get(oid)
            named = table and any(column.name == entry.deprecated_name for column in table.columns)
            return Element(kind, table.schema, entry.deprecated_name, table.name) if table and named else None
        case Kind.INDEX:
            index = snapshot.indexes_by_oid.get(oid)
            return Element(kind, index.schema, index.name) if index else None
        case Kind.CONSTRAINT:
            item = snapshot.constraints_by_oid.get(oid)
            return Element(kind, item.schema, item.name, item.table) if item else None
        case Kind.ENUM:
            enum = snapshot.enums_by_oid.get(oid)
            return Element(kind, enum.schema, enum.name) if enum else None
        case Kind.ENUM_VALUE:
            return snapshot.labels_by_oid.get(oid)


def mentions(text: str, name: str) -> bool:
    """Whether a text has the name as a whole word, in any case."""
    if is_word(name):
        return name.casefold() in words(text)
    # Not \b: such a name can begin or end with a character that is no word character.
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE) is not None


def _by_reference(snapshot: Snapshot, element: Element) -> Iterator[Dependant]:
    match element.kind:
        case Kind.TABLE | Kind.VIEW | Kind.MATVIEW:
            yield from _of_table(snapshot, element)
        case Kind.SEQUENCE:
            yield from _of_sequence(snapshot, element)
        case Kind.ENUM_VALUE:
            yield from _of_enum_value(snapshot, element)
        case Kind.COLUMN:
            yield from _of_column(snapshot, element)
        case Kind.INDEX:
            yield from _of_index(snapshot, element)
        case Kind.CONSTRAINT:
            yield from _of_constraint(snapshot, element)
        case Kind.ENUM:
            yield from _of_enum(snapshot, element)


def _of_table(snapshot: Snapshot, table: Element) -> Iterator[Dependant]:
    place = (table.schema, table.name)
    for constraint in snapshot.references_to(*place):
        if (constraint.schema, constraint.table) != place:
            yield Dependant(
                "foreign key",
                _name(constraint.schema, constraint.table, constraint.name),
                "references it",
                _table(constraint.schema, constraint.table),
            )
    for use in snapshot.stored_uses_of("relation", *place):
        own = use.kind in _OWN_PARTS and (use.schema, use.relation) == place
        if not own and not _is_foreign_key(snapshot, use) and not _is_shim(snapshot, use):
            yield _from_use(use)


def _through_shim(snapshot: Snapshot, element: Element) -> Iterator[Dependant]:
    """What refers to the view that keeps a former name working; that view itself uses nothing."""
    if element.kind not in (Kind.TABLE, Kind.VIEW, Kind.COLUMN):
        return
    relation = snapshot.relation(element.schema, element.parent or element.name)
    is_column = element.kind is Kind.COLUMN
    for entry in snapshot.shimmed(relation.oid) if relation else ():
        view = snapshot.relations_by_oid.get(entry.shim_oid or 0)
        if view is None:
            continue
        if (entry.element.kind is Kind.COLUMN) is not is_column:
            continue
        if is_column and entry.deprecated_name != element.name:
            continue
        for use in snapshot.stored_uses_of("relation", view.schema, view.name):
            if not is_column or use.used_column in (None, entry.element.name):
                yield _from_use(use)


def _of_column(snapshot: Snapshot, column: Element) -> Iterator[Dependant]:
    schema, table, name = column.schema, column.parent or "", column.name
    for index in snapshot.indexes_of(schema, table):
        if name in index.columns and not index.constraint:
            yield Dependant(
                "index", _name(index.schema, index.name), "indexes it", _table(index.schema, index.table)
            )
    for constraint in snapshot.constraints_of(schema, table):
        # NOT NULL is a property of the column, whether or not the server keeps a constraint for it (18 does).
        if name in constraint.columns and constraint.type != "n":
            yield Dependant(
                "constraint", _name(schema, table, constraint.name), "is on it", _table(schema, table)
            )
    for use in snapshot.stored_uses_of("relation", schema, table):
        if _is_shim(snapshot, use):
            continue
        own_place = (use.schema, use.relation) == (schema, table)
        own_default = own_place and use.kind in ("default", "generated column") and use.name == name
        own_not_null = own_place and use.kind == "constraint" and _is_not_null(snapshot, use)
        if use.used_column == name and not own_default and not own_not_null:
            yield _from_use(use)
        # Without a column it refers to the whole row, or to none of them; PostgreSQL does not say which.
        elif use.used_column is None and not own_place:
            yield Dependant(use.kind, _use_name(use), "refers to its table as a whole", _part_of(use))


def _of_index(snapshot: Snapshot, element: Element) -> Iterator[Dependant]:
    index = snapshot.index(element.schema, element.name)
    if index and index.constraint:
        yield Dependant("constraint", _name(index.schema, index.table, index.constraint), "is enforced by it")
    yield from _marks(index)
    for use in snapshot.stored_uses_of("relation", element.schema, element.name):
        yield _from_use(use)


def _marks(index: Index | None) -> Iterator[Dependant]:
    """What its table does by the index without a name."""
    if index and index.is_replica_identity:
        yield Dependant("replica identity", _name(index.schema, index.table), "is defined by it")
    if index and index.is_clustered:
        # It may sort the rows instead, and then counts no scan.
        table = _table(index.schema, index.table)
        yield Dependant("CLUSTER", _name(index.schema, index.table), "goes by it", table)


def _of_constraint(snapshot: Snapshot, element: Element) -> Iterator[Dependant]:
    constraint = snapshot.constraint(element.schema, element.parent or "", element.name)
    if constraint is None or constraint.index is None:
        return
    yield from _marks(snapshot.index(constraint.schema, constraint.index))
    for use in snapshot.stored_uses_of("relation", constraint.schema, constraint.index):
        if not (use.kind == "constraint" and use.name == element.name and use.relation == element.parent):
            yield _from_use(use)


def _of_enum(snapshot: Snapshot, element: Element) -> Iterator[Dependant]:
    enum = snapshot.enum(element.schema, element.name)
    if enum is None:
        return
    for relation, column in snapshot.columns_of_type(enum.oid):
        name = _name(relation.schema, relation.name, column.name)
        yield Dependant("column", name, "has its type", _table(relation.schema, relation.name))
    for use in snapshot.stored_uses_of("enum", element.schema, element.name):
        yield _from_use(use)


def _of_enum_value(snapshot: Snapshot, value: Element) -> Iterator[Dependant]:
    """What writes or compares the label; the rows that hold it cannot be seen from the catalog."""
    written = _as_literal(value.name)
    for use in snapshot.stored_uses_of("enum", value.schema, value.parent or ""):
        if use.definition and written in use.definition:
            yield Dependant(use.kind, _use_name(use), "has the label in it", _part_of(use))


def _of_sequence(snapshot: Snapshot, element: Element) -> Iterator[Dependant]:
    sequence = snapshot.relation(element.schema, element.name)
    if sequence and sequence.is_identity and sequence.used_by_table and sequence.used_by_column:
        # A sequence that belongs to a column is in its table's schema.
        name = _name(sequence.schema, sequence.used_by_table, sequence.used_by_column)
        part_of = _table(sequence.schema, sequence.used_by_table)
        yield Dependant("identity column", name, "takes its values from it", part_of)
    for use in snapshot.stored_uses_of("relation", element.schema, element.name):
        yield _from_use(use)


def _by_parent(snapshot: Snapshot, element: Element) -> Iterator[Dependant]:
    kinds = {Kind.TABLE: CHILDREN, Kind.INDEX: ("index",)}.get(element.kind, ())
    for use in snapshot.stored_uses_by(element.schema, element.name):
        if use.kind in kinds and (
            element.kind is Kind.TABLE or snapshot.index(use.used_schema, use.used_name)
        ):
            yield Dependant("parent", _name(use.used_schema, use.used_name), "is served by it")


def _by_signature(snapshot: Snapshot, element: Element) -> Iterator[Dependant]:
    match element.kind:
        case Kind.TABLE | Kind.VIEW | Kind.MATVIEW:
            table = snapshot.relation(element.schema, element.name)
            type_oid = table.row_type_oid if table else 0
        case Kind.ENUM:
            enum = snapshot.enum(element.schema, element.name)
            type_oid = enum.oid if enum else 0
        case _:
            return
    if not type_oid:
        return
    for function in snapshot.functions_of_type(type_oid):
        yield Dependant("function", _function_name(function), "has its type in the signature")
    if element.kind is not Kind.ENUM:
        for relation, column in snapshot.columns_of_type(type_oid):
            name = _name(relation.schema, relation.name, column.name)
            part_of = _table(relation.schema, relation.name)
            yield Dependant("column", name, "has its row type", part_of)


def _by_mention(snapshot: Snapshot, element: Element, names: set[str]) -> Iterator[Dependant]:
    if element.kind is not Kind.ENUM_VALUE and all(is_word(name) for name in names):
        # The common case without a look at every body.
        for function in snapshot.functions_saying(names):
            yield Dependant("function", _function_name(function), "mentions it in its body")
        return
    for function in snapshot.functions:
        body = function.body
        # SQL writes a label between quotes, which tells 'new' from a trigger's NEW; other languages may not.
        is_quoted = element.kind is Kind.ENUM_VALUE and function.language in ("sql", "plpgsql")
        if body and any(_as_literal(n) in body if is_quoted else mentions(body, n) for n in names):
            yield Dependant("function", _function_name(function), "mentions it in its body")


def _is_foreign_key(snapshot: Snapshot, use: StoredUse) -> bool:
    constraint = snapshot.constraint(use.schema, use.relation or "", use.name)
    return use.kind == "constraint" and constraint is not None and constraint.type == "f"


def _is_not_null(snapshot: Snapshot, use: StoredUse) -> bool:
    constraint = snapshot.constraint(use.schema, use.relation or "", use.name)
    return constraint is not None and constraint.type == "n"


def _is_shim(snapshot: Snapshot, use: StoredUse) -> bool:
    """Whether a view is one that keeps a former name working: it uses nothing on anybody's behalf."""
    if use.kind != "view" or use.relation is None:
        return False
    view = snapshot.relation(use.schema, use.relation)
    return view is not None and view.oid in snapshot.shims


def _as_literal(label: str) -> str:
    return "'" + label.replace("'", "''") + "'"


def _from_use(use: StoredUse) -> Dependant:
    return Dependant(use.kind, _use_name(use), "refers to it", _part_of(use))


def _part_of(use: StoredUse) -> str:
    kind = _ELEMENT_KINDS.get(use.kind)
    if kind:
        return str(Element(kind, use.schema, use.name))
    return _table(use.schema, use.relation) if use.relation else ""


def _table(schema: str, table: str) -> str:
    return str(Element(Kind.TABLE, schema, table))


def _use_name(use: StoredUse) -> str:
    if use.relation and use.relation != use.name and use.kind != "index":
        return _name(use.schema, use.relation, use.name)
    return _name(use.schema, use.name) if use.schema else use.name


def _function_name(function: Function) -> str:
    return _name(function.schema, function.name)


def _name(*parts: str) -> str:
    return ".".join(quote_identifier(part) for part in parts)
