"""Shims: a view under the former name, so that those who use it go on while every use is seen.

A shim is made in the transaction of the rename and checks rights as the caller (`security_invoker`), so it
gives nobody more than the renamed table does. tests/migrations/test_shim.py holds what works through one.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from catalog.database import identifier, literal
from catalog.elements import Element, Kind, quote_identifier
from catalog.objects import CHILDREN, OWNERS_PRIVILEGES, Grant, Relation
from catalog.snapshot import Snapshot
from migrations.errors import PlanError
from migrations.findings import Finding, Severity
from migrations.steps import Shim

_FIRST_VERSION = 150_000
_MERGE_VERSION = 170_000
_NO_SHIM = {
    Kind.INDEX: "no statement reads an index by name, and what names one (REINDEX, CLUSTER) refuses a view",
    Kind.CONSTRAINT: "ON CONFLICT ON CONSTRAINT and SET CONSTRAINTS know one name only (42704)",
    Kind.ENUM: "a type cannot be shown under two names: a domain over it is another type",
    Kind.ENUM_VALUE: "a label cannot be shown under two names",
    Kind.SEQUENCE: "nextval() and setval() refuse a view (42809)",
    Kind.MATVIEW: "REFRESH MATERIALIZED VIEW, which is how it is kept, refuses a view (42809)",
}
_FAILS = (
    "through the view these fail: TRUNCATE, COPY (42809), ON CONFLICT ON CONSTRAINT (42704), TABLESAMPLE and"
    " WHERE CURRENT OF (0A000), ctid (42703), GROUP BY of the primary key alone (42803), and DDL; who does so"
    " cannot be known"
)
_SILENT = (
    "information_schema and pg_get_serial_sequence no longer show its keys and identity;"
    " errors say the new name"
)


def refuse(snapshot: Snapshot, elements: Iterable[Element]) -> None:
    """Raise PlanError with all reasons where a view would not keep the use of an element working."""
    reasons = [(element, reason) for element in elements for reason in _against(snapshot, element)]
    if reasons:
        told = [f"{element}: {reason}" for element, reason in reasons]
        raise PlanError(
            f"no shim can keep {'it' if len(reasons) == 1 else 'them'} working: {'; '.join(told)}",
            where=str(reasons[0][0]),
            todo="Plan it without --soft: the rename is then felt at once, and undone in milliseconds",
        )


def findings(snapshot: Snapshot, elements: Iterable[Element]) -> Iterator[Finding]:
    """What to know of the shims of these elements before they are made."""
    merge = "; MERGE (0A000) fails too on this server" if snapshot.server_version < _MERGE_VERSION else ""
    for element in elements:
        yield Finding(
            "shim",
            Severity.WARN,
            str(element),
            f"keeps its former name as a view; {_FAILS}{merge}; {_SILENT}",
            "Look for such uses, above all COPY and TRUNCATE in load and backup scripts",
        )


def make(relation: Relation, shim: Shim, behind: Mapping[str, str], note: str) -> tuple[str, ...]:
    """The statements that make a shim over a relation that has its new name already.

    `relation` is as it was before; `behind` maps its columns to the new names of those that have one.
    """
    view = identifier(shim.schema, shim.name)
    columns = ", ".join(
        f"{identifier(behind[column.name])} AS {identifier(column.name)}"
        if column.name in behind
        else identifier(column.name)
        for column in relation.columns
    )
    shown = f"SELECT {columns} FROM {identifier(shim.schema, shim.relation)}"  # noqa: S608 (all quoted)
    return (
        f"CREATE VIEW {view} WITH (security_invoker = true) AS {shown}",
        f"ALTER VIEW {view} OWNER TO {identifier(relation.owner)}",
        *_grants(relation, view),
        f"COMMENT ON VIEW {view} IS {literal(note)}",
    )


def _grants(relation: Relation, view: str) -> Iterator[str]:
    owners = {grant.privilege for grant in relation.grants if grant.grantee == relation.owner}
    if relation.grants and not owners >= OWNERS_PRIVILEGES:
        yield f"REVOKE ALL ON {view} FROM {identifier(relation.owner)}"
    elif relation.grants:
        relation = replace(
            relation, grants=tuple(grant for grant in relation.grants if grant.grantee != relation.owner)
        )
    yield from _grant(relation.grants, "", view)
    for column in relation.columns:
        yield from _grant(column.grants, f" ({identifier(column.name)})", view)


def _grant(grants: tuple[Grant, ...], columns: str, view: str) -> Iterator[str]:
    together: dict[tuple[str, bool], list[str]] = {}
    for grant in grants:
        together.setdefault((grant.grantee, grant.grantable), []).append(grant.privilege + columns)
    for (grantee, grantable), privileges in together.items():
        to = identifier(grantee) if grantee else "PUBLIC"
        option = " WITH GRANT OPTION" if grantable else ""
        yield f"GRANT {', '.join(privileges)} ON {view} TO {to}{option}"


def _against(snapshot: Snapshot, element: Element) -> Iterator[str]:
    if element.kind in _NO_SHIM:
        yield _NO_SHIM[element.kind]
        return
    relation = snapshot.relation(element.schema, element.parent or element.name)
    if relation is None:
        return
    if snapshot.server_version < _FIRST_VERSION:
        yield "before PostgreSQL 15 a view checks the rights of its owner, not of its caller"
    yield from _against_structure(snapshot, relation)
    yield from _against_row_type(snapshot, relation)
    yield from _against_grants(relation)


def _against_structure(snapshot: Snapshot, relation: Relation) -> Iterator[str]:
    place = (relation.schema, relation.name)
    if relation.kind == "p":
        yield "it is partitioned, and what attaches or detaches its partitions refuses a view (42809)"
    elif relation.children:
        yield "tables inherit from it, and what changes them through it refuses a view (42809)"
    for constraint in snapshot.constraints:
        references = (constraint.references_schema, constraint.references_table)
        if references == place and (constraint.schema, constraint.table) != place:
            source = f"{quote_identifier(constraint.table)}.{quote_identifier(constraint.name)}"
            yield f"foreign key {source} references it, and could not be made again on a view (42809)"
    for use in snapshot.stored_uses_of("relation", *place):
        if use.kind == "publication":
            yield f"publication {use.name} publishes it, and no view can be published (22023)"
    if any(use.kind in CHILDREN and (use.schema, use.name) == place for use in snapshot.stored_uses):
        yield "it is part of another table, which reads and writes it under no name at all"


def _against_row_type(snapshot: Snapshot, relation: Relation) -> Iterator[str]:
    for function in snapshot.functions:
        if relation.row_type_oid in function.type_oids:
            name = f"{quote_identifier(function.schema)}.{quote_identifier(function.name)}"
            yield f"function {name} takes or gives its row type, which a row of the view is not (42883)"
    for other in snapshot.relations:
        for column in other.columns:
            if column.type_oid == relation.row_type_oid:
                name = f"{quote_identifier(other.name)}.{quote_identifier(column.name)}"
                yield f"column {name} has its row type, which a row of the view is not (42804)"


def _against_grants(relation: Relation) -> Iterator[str]:
    readers = {grant.grantee for grant in relation.grants if grant.privilege == "SELECT"}
    for column in relation.columns:
        for grant in column.grants:
            if grant.privilege == "SELECT" and not {grant.grantee, ""} & readers:
                who = grant.grantee or "PUBLIC"
                yield f"{who} may read only some columns, and reading a view needs the right to all (42501)"
                return
