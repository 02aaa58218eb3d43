"""What a line of pgattic's own sensors proves to be in use.

A sensor is a function in the schema `pgattic` that a shim or a trigger calls: it writes
`pgattic sensor: <read|write> <element>` with RAISE LOG, and the server adds the application's statement.
"""

import re
from collections.abc import Iterator

from catalog.elements import Element, Kind
from catalog.errors import ElementSyntaxError
from ingest.evidence.languages import SENSOR_PREFIX
from ingest.evidence.messages import Message
from ingest.meaning.resolve import Use
from ingest.meaning.world import World
from ingest.schemas import Operation

_OPERATIONS = {"read": Operation.READ, "write": Operation.WRITE}
# The first line of the context is the function that wrote: with its schema, unless search_path leads there.
_WRITER = re.compile(r"PL/\w+\W.*?(?:\b(\w+)\.)?\w+\(", re.ASCII)
_SCHEMA = "pgattic"


def uses_of_sensor(message: Message, world: World) -> Iterator[Use]:
    """The use that a sensor's line proves; `message.text` is the whole line, `message.sql` the statement.

    Nothing where somebody else's function wrote it, or where no such element is known: that is no message of
    ours, and the caller counts it as not recognised.
    """
    operation_text, _, element_text = message.text.removeprefix(SENSOR_PREFIX).partition(" ")
    operation = _OPERATIONS.get(operation_text)
    if operation is None or _is_forged(message.context):
        return
    try:
        element = Element.parse(element_text)
    except ElementSyntaxError:
        return
    if _is_known(element, world):
        yield Use(element, operation)


def _is_forged(context: str) -> bool:
    # Without a context (terse logs to stderr have none) it is taken for ours: when in doubt, in use.
    writer = _WRITER.search(context.partition("\n")[0])
    return writer is not None and writer[1] not in (None, _SCHEMA)


def _is_known(element: Element, world: World) -> bool:
    names = {Kind.INDEX: world.indexes, Kind.CONSTRAINT: world.constraints, Kind.ENUM: world.enums}
    if element in world.attic or element in names.get(element.kind, {}).get(element.name, ()):
        return True
    tables = world.tables.get(element.parent or element.name, ())
    return any(element == table.element or element in table.columns.values() for table in tables)
