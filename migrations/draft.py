"""From elements to steps: their order, their new names, the SQL in both directions, and the shims; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from catalog.elements import Element, Kind
from catalog.names import Reason, deprecated_name, hidden_name
from catalog.objects import Relation
from catalog.snapshot import Snapshot
from migrations import shims
from migrations.operations import operation_for
from migrations.steps import Shim, Step

# Parts are renamed under the present name of their table or type, so before it.
_ORDER = (
    Kind.CONSTRAINT,
    Kind.COLUMN,
    Kind.INDEX,
    Kind.SEQUENCE,
    Kind.ENUM_VALUE,
    Kind.ENUM,
    Kind.VIEW,
    Kind.MATVIEW,
    Kind.TABLE,
)
# The view, its row type, and what its grants and its owner lock.
_LOCKS_OF_A_SHIM = 3


@dataclass(frozen=True)
class Order:
    """What was asked for: each element's reason, and whether its former name is to keep working."""

    plan_id: str
    reasons: Mapping[Element, Reason]
    soft: bool
    now: datetime


def in_order(snapshot: Snapshot, elements: Sequence[Element]) -> list[Element]:
    """Sorted by table, so that two plans ask for their locks in the same order, and parts before wholes."""
    return sorted(set(elements), key=lambda one: (group_of(snapshot, one), _ORDER.index(one.kind), one))


def group_of(snapshot: Snapshot, element: Element) -> str:
    """The table, type, view or sequence whose elements belong together, as a path."""
    name = element.parent or element.name
    if element.kind is Kind.INDEX and (index := snapshot.index(element.schema, element.name)):
        name = index.table
    if element.kind is Kind.SEQUENCE and (found := snapshot.relation(element.schema, element.name)):
        name = found.used_by_table or name
    return Element(Kind.TABLE, element.schema, name).path


def steps_of(snapshot: Snapshot, elements: Sequence[Element], order: Order) -> tuple[Step, ...]:
    """One step for each element, which are given in order."""
    names = _names(snapshot, elements, order)
    steps = [_step(snapshot, element, names[element], order) for element in elements]
    return tuple(_shimmed(snapshot, steps, names, order) if order.soft else steps)


def _names(snapshot: Snapshot, elements: Sequence[Element], order: Order) -> dict[Element, str]:
    given: dict[tuple[str, str | None], set[str]] = {}
    names = {}
    for element in elements:
        # Names given earlier in this plan are taken too, within the same namespace.
        is_apart = element.kind in (Kind.COLUMN, Kind.ENUM_VALUE)
        scope = given.setdefault((element.schema, element.parent if is_apart else None), set())
        taken = snapshot.neighbours(element) | scope
        names[element] = deprecated_name(element.name, order.now.date(), order.reasons[element], taken)
        scope.add(names[element])
    return names


def _step(snapshot: Snapshot, element: Element, name: str, order: Order) -> Step:
    operation = operation_for(element.kind)
    place = operation.locate(snapshot, element)
    assert place is not None, "the plan required the element to exist"
    note = (
        f"Deprecated {order.now:%Y-%m-%d} ({order.reasons[element]}), formerly {element.name};"
        f" pgattic migration {order.plan_id}"
    )
    renamed_back = replace(place, index=name) if place.index else place
    up = (operation.rename(place, element.name, name), operation.comment(place, name, note))
    down = (
        operation.rename(renamed_back, name, element.name),
        operation.comment(place, element.name, snapshot.comment(element)),
    )
    return Step(
        element=element,
        deprecated_name=name,
        object_oid=place.object_oid,
        column_number=place.column_number,
        lock=operation.lock(place),
        up=tuple(statement for statement in up if statement),
        down=tuple(statement for statement in down if statement),
        group=group_of(snapshot, element),
        locks=operation.locks(place),
    )


def _shimmed(
    snapshot: Snapshot, steps: Sequence[Step], names: Mapping[Element, str], order: Order
) -> list[Step]:
    last = {step.group: step for step in steps}
    done = []
    given: set[str] = set()
    hidden: dict[str, str] = {}
    for step in steps:
        element = step.element
        relation = snapshot.relation(element.schema, element.parent or element.name)
        assert relation is not None, "shims were refused for what is no table or view"
        whole = Element(Kind.TABLE, relation.schema, relation.name) if element.parent else element
        is_hidden = whole not in names
        if is_hidden and step.group not in hidden:
            hidden[step.group] = hidden_name(relation.name, snapshot.neighbours(whole) | given)
            given.add(hidden[step.group])
        behind = hidden[step.group] if is_hidden else names[whole]
        shim = Shim(relation.schema, relation.name, behind, is_hidden)
        if last[step.group] is step:
            done.append(_with_view(replace(step, shim=shim), relation, shim, names, order))
        else:
            done.append(replace(step, shim=shim))
    return done


def _with_view(
    step: Step, relation: Relation, shim: Shim, names: Mapping[Element, str], order: Order
) -> Step:
    behind = {
        element.name: name
        for element, name in names.items()
        if element.kind is Kind.COLUMN
        and (element.schema, element.parent) == (relation.schema, relation.name)
    }
    note = f"Keeps {relation.name} working while {_what(step, behind)} in the attic; pgattic migration"
    make = shims.make(relation, shim, behind, f"{note} {order.plan_id}")
    return replace(
        step,
        up=(*step.up, *shim.cover(), *make),
        down=(*shim.removal(), *step.down),
        locks=step.locks + _LOCKS_OF_A_SHIM,
    )


def _what(step: Step, behind: Mapping[str, str]) -> str:
    if step.element.kind is not Kind.COLUMN:
        return f"{step.deprecated_name} is"
    names = ", ".join(behind)
    return f"its column {names} is" if len(behind) == 1 else f"its columns {names} are"
