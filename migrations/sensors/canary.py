"""The canary: a compatibility view that makes the server log a line for each statement that reads it.

The logging function stands in a sub-select, which the server runs once a statement, also where it scans in
parallel or comes back to the view for every row of another table. The view stays as updatable as it was.
"""

from collections.abc import Iterator, Sequence

from catalog.database import identifier, literal
from catalog.elements import Element, Kind
from migrations.sensors.targets import Sensor, SensorKind, ShimView, Target


def against(target: Target) -> str | None:
    """Why no canary can be had, or None."""
    if target.element.kind is Kind.COLUMN:
        return "its view stands for the whole table, and would log those who do not use the column"
    if target.element.kind not in (Kind.TABLE, Kind.VIEW):
        return "no view can stand for it"
    if target.item.shim is None:
        return "it was renamed without a view under its former name: whoever uses that gets an error"
    if target.shim is None:
        return "the view under its former name is gone"
    if not is_plain(target.shim.definition) and not is_canary(target.shim.definition, target.element):
        return "somebody changed the view under its former name"
    return None


def sensors(target: Target) -> Iterator[Sensor]:
    """The canary of an element that has a compatibility view."""
    if against(target) or target.shim is None:
        return
    view = target.shim
    made = replaced(view, _with_canary(plain(view.definition, target.element), target.element))
    path = identifier(view.schema, view.name)
    yield Sensor(target.item, SensorKind.CANARY, path, view.oid, view.name, (made,))


def replaced(view: ShimView, definition: str) -> str:
    """The statement that gives a view another definition and leaves owner, grants, comment and options."""
    return (
        f"CREATE OR REPLACE VIEW {identifier(view.schema, view.name)}{_options(view.options)} AS {definition}"
    )


def is_canary(definition: str, element: Element) -> bool:
    """Whether a definition, as the server writes it, is the canary of an element."""
    return definition.endswith(f"{_condition(element)};")


def is_plain(definition: str) -> bool:
    """Whether a definition has no condition at all."""
    return "\n  WHERE " not in definition


def plain(definition: str, element: Element) -> str:
    """The definition without the canary, and without the semicolon."""
    return definition.removesuffix(";").removesuffix(_condition(element)).strip()


def _with_canary(definition: str, element: Element) -> str:
    return f"{definition} WHERE (SELECT pgattic.sensor_read({_quoted(element)}))"


def _condition(element: Element) -> str:
    return f"\n  WHERE ( SELECT pgattic.sensor_read({_quoted(element)}::text) AS sensor_read)"


def _quoted(element: Element) -> str:
    # Before a text with a backslash the driver writes a space, and the server does not.
    return literal(str(element)).strip()


def _options(options: Sequence[str]) -> str:
    # CREATE OR REPLACE forgets the options that it does not name.
    settings = ", ".join(
        f"{identifier(name)} = {literal(value)}" for name, _, value in (one.partition("=") for one in options)
    )
    return f" WITH ({settings})" if settings else ""
