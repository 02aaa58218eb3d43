"""Grants to the audit role: with them pgaudit logs uses of a table or column, also through views.

pgaudit logs a statement where `pgaudit.role` was granted what the statement does. What that role could do
before is not ours: it is neither granted again nor taken away.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from catalog.database import Database, identifier
from catalog.elements import Kind
from migrations.sensors.targets import Part, Sensor, SensorKind, Target

_ON_TABLES = ("SELECT", "INSERT", "UPDATE", "DELETE")
# A column cannot be deleted, and a DELETE says nothing about it.
_ON_COLUMNS = ("SELECT", "INSERT", "UPDATE")
_REFUSED = {
    Kind.INDEX: "pgaudit knows no indexes",
    Kind.CONSTRAINT: "pgaudit knows no constraints",
    Kind.SEQUENCE: "pgaudit does not log nextval()",
    Kind.ENUM: "pgaudit knows no types",
    Kind.ENUM_VALUE: "pgaudit knows no types",
}


@dataclass(frozen=True)
class ColumnGrant:
    """What the audit role was granted on one column."""

    column: str
    privilege: str
    grantable: bool


def audit_role(db: Database) -> str | None:
    """The role whose grants pgaudit logs; None where pgaudit is not loaded or has none."""
    # A setting of a library that is not loaded is not among these.
    role = db.fetch_value("SELECT setting FROM pg_settings WHERE name = 'pgaudit.role'")
    known = role and db.fetch_value("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)", [role])
    return str(role) if known else None


def against(target: Target, role: str | None) -> str | None:
    """Why nothing can be granted, or None."""
    reason = _REFUSED.get(target.element.kind)
    if reason is None and role is None:
        reason = "pgaudit is not loaded here, or pgaudit.role names no role"
    if reason is None and not target.parts:
        reason = "it is gone"
    if reason is None and not any(_missing(target, part) for part in target.parts):
        reason = f"{role} was granted all of it by somebody else, so it is logged already"
    return reason


def sensors(target: Target, role: str | None) -> Iterator[Sensor]:
    """The grants of an element: on its relation, and on each partition and inheriting table."""
    if role is None or target.element.kind in _REFUSED:
        return
    for part in target.parts:
        missing = _missing(target, part)
        if missing:
            columns = f" ({identifier(part.column)})" if part.column else ""
            what = ", ".join(f"{privilege}{columns}" for privilege in missing)
            yield Sensor(
                target.item,
                SensorKind.GRANT,
                part.path,
                part.oid,
                role,
                (f"GRANT {what} ON {part.path} TO {identifier(role)}",),
                part.column_number,
                missing,
            )


def removal(
    role: str, relation: str, privileges: Sequence[str], column: str | None, on_columns: Sequence[ColumnGrant]
) -> Iterator[str]:
    """The statements that take a grant back; `relation` is quoted, `on_columns` are those that must stay."""
    columns = f" ({identifier(column)})" if column else ""
    what = ", ".join(f"{privilege}{columns}" for privilege in privileges)
    yield f"REVOKE {what} ON {relation} FROM {identifier(role)}"
    for grant in on_columns:
        option = " WITH GRANT OPTION" if grant.grantable else ""
        kept = f"{grant.privilege} ({identifier(grant.column)})"
        yield f"GRANT {kept} ON {relation} TO {identifier(role)}{option}"


def _missing(target: Target, part: Part) -> tuple[str, ...]:
    wanted = _ON_COLUMNS if target.is_column else _ON_TABLES
    return tuple(privilege for privilege in wanted if privilege not in part.granted)
