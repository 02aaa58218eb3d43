"""The statement trigger: one line in the log for each statement that writes an element, by whatever name.

It fires for DML by either name, through views, by cascades of foreign keys and for COPY and TRUNCATE, also
where no row is touched and where session_replication_role is replica. BEFORE, so that a write that fails is
seen too.
"""

from collections.abc import Iterator

from catalog.database import identifier, literal
from catalog.elements import Element, Kind
from migrations.sensors.targets import TABLE_KINDS, Part, Sensor, SensorKind, Target

_NAME = "pgattic_sensor"
_REFUSED = {
    Kind.VIEW: "a write through a view fires the triggers of the tables behind it, and none of the view",
    Kind.MATVIEW: "nothing but REFRESH writes it, and it can have no trigger",
    Kind.INDEX: "it has no writes of its own: counters speak for it",
    Kind.CONSTRAINT: "it has no writes of its own: errors speak for it, and counters where it has an index",
    Kind.SEQUENCE: "it can have no trigger",
    Kind.ENUM: "a type is not written",
    Kind.ENUM_VALUE: "a label is not written",
}


def against(target: Target) -> str | None:
    """Why no trigger can be had, or None."""
    reason = _REFUSED.get(target.element.kind)
    if reason is None and not any(_takes_triggers(part) for part in target.parts):
        reason = "nothing of it is a table of this server"
    return reason


def sensors(target: Target) -> Iterator[Sensor]:
    """The triggers of an element: on its table, and on each partition and inheriting table."""
    if against(target):
        return
    for part in target.parts:
        if _takes_triggers(part):
            # A partition can be in the attic by itself and with its table: each says its own.
            name = f"{_NAME}_{target.item.object_oid}"
            if target.is_column:
                name = f"{name}_{target.item.column_number}"
            made = tuple(_made(target.element, part, name))
            yield Sensor(target.item, SensorKind.TRIGGER, part.path, part.oid, name, made)


def removal(name: str, table: str) -> str:
    """The statement that takes one away; `table` is quoted."""
    return f"DROP TRIGGER {identifier(name)} ON {table}"


def _takes_triggers(part: Part) -> bool:
    return part.kind in TABLE_KINDS


def _made(element: Element, part: Part, name: str) -> Iterator[str]:
    # Of a column only an UPDATE says that it is written; INSERT always writes all of them.
    when = f"UPDATE OF {identifier(part.column)}" if part.column else "INSERT OR UPDATE OR DELETE OR TRUNCATE"
    yield (
        f"CREATE TRIGGER {identifier(name)} BEFORE {when} ON {part.path}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION pgattic.sensor_write({literal(str(element))})"
    )
    yield f"ALTER TABLE {part.path} ENABLE ALWAYS TRIGGER {identifier(name)}"
