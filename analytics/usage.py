"""Who used an element, when, from where, with which statement."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from analytics.calls import Calls
from analytics.store import Evidence
from catalog.attic import AtticEntry
from catalog.elements import Element
from catalog.policy import PolicySettings


@dataclass(frozen=True, slots=True)
class ElementUsage:
    """All uses of one element put together; `errors` are statements that failed on its former name."""

    element: Element
    uses: int
    errors: int
    reads: int
    writes: int
    first_at: datetime
    last_at: datetime
    roles: tuple[str, ...]
    applications: tuple[str, ...]
    clients: tuple[str, ...]
    statements: int


@dataclass(frozen=True, slots=True)
class UseGroup:
    """The uses of an element that have everything in common but the time; `statement` is normalised."""

    element: Element
    operation: str
    outcome: str
    source: str
    via: str | None
    implicit: bool
    ambiguous: bool
    sqlstate: str | None
    role: str | None
    database: str | None
    application: str | None
    client: str | None
    statement_id: str | None
    statement: str | None
    uses: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class CallGroup:
    """Calls of one normalised statement by one role; `last_at` is when the last one was, at the latest.

    `mean_ms` is how long one took on average, those before the rename among them; None where nobody noted it.
    """

    role: str | None
    statement: str | None
    operation: str | None
    calls: int
    last_at: datetime
    mean_ms: float | None = None


@dataclass(frozen=True, slots=True)
class HourlyUse:
    """Uses of an element as the hourly counts have them; `implicit_uses` came by `SELECT *` and the like."""

    uses: int
    implicit_uses: int
    last_at: datetime


def usage_by_element(evidence: Evidence, since: datetime | None = None) -> list[ElementUsage]:
    """The elements of the attic that were used, the latest used first; one without a use is not in it."""
    return [
        ElementUsage(
            **{
                **row,
                "element": Element.parse(row["element"]),
                "roles": tuple(row["roles"]),
                "applications": tuple(row["applications"]),
                "clients": tuple(row["clients"]),
            }
        )
        for row in evidence.query("usage_by_element", since=since).to_pylist()
    ]


def uses_of(evidence: Evidence, element: Element, since: datetime | None = None) -> list[UseGroup]:
    """The ways an element of the attic was used, the latest first."""
    rows = evidence.query("uses_of", element=str(element), since=since).to_pylist()
    return [UseGroup(**{**row, "element": element}) for row in rows]


def calls_of(
    evidence: Evidence, policy: PolicySettings, nodes: Sequence[str], entry: AtticEntry
) -> list[CallGroup]:
    """The statements that pg_stat_statements counted on an element since its rename, the latest first."""
    calls = Calls(evidence, policy, nodes, {entry.element}, entry.deprecated_at)
    found, _ = calls.of({entry.element}, entry.deprecated_at)
    texts = {row["statement_id"]: row["text"] for row in evidence.query("called_texts").to_pylist()}
    durations = evidence.query("call_durations", element=str(entry.element)).to_pylist()
    took = {(row["role"], row["statement_id"]): row["mean_ms"] for row in durations}
    groups: dict[tuple[str | None, str | None], CallGroup] = {}
    for step in found.steps if found else ():
        key = step.role, step.statement_id
        first = CallGroup(step.role, texts.get(step.statement_id), step.operation, 0, step.end, took.get(key))
        group = groups.setdefault(key, first)
        groups[key] = replace(group, calls=group.calls + step.calls, last_at=max(group.last_at, step.end))
    return sorted(groups.values(), key=lambda group: group.last_at, reverse=True)


def hourly_detail(evidence: Evidence, since: datetime) -> dict[Element, HourlyUse]:
    """How often each element that logs named was used since a moment, and when the last time was."""
    rows = evidence.query("hourly_uses", since=since).to_pylist()
    return {Element.parse(row.pop("element")): HourlyUse(**row) for row in rows}
