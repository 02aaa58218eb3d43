"""Whether the elements in the attic could be removed: gathers what was seen, and has it judged."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from analytics.coverage import Coverage, coverage
from analytics.store import Evidence
from analytics.usage import ElementUsage, HourlyUse, hourly_detail, usage_by_element
from analytics.verdict import Facts, Readiness, Rule, Verdict, assess
from catalog.closure import dependants, present_element
from catalog.counters import CounterSample
from catalog.elements import Element, Kind
from catalog.settings import PolicySettings
from catalog.snapshot import AtticEntry, Relation, Snapshot
from ingest.schemas import Source

__all__ = ["Facts", "Readiness", "Rule", "Verdict", "assess", "readiness"]


def readiness(
    snapshot: Snapshot, counters: CounterSample, evidence: Evidence, policy: PolicySettings, now: datetime
) -> list[Readiness]:
    """Judge every element that is in the attic now, the longest there first."""
    entries = sorted(
        (entry for entry in snapshot.attic if entry.is_in_attic), key=lambda e: (e.deprecated_at, e.element)
    )
    gather = _gatherer(snapshot, counters, evidence, now)
    return [assess(entry, gather(entry), policy, now) for entry in entries]


def _gatherer(
    snapshot: Snapshot, counters: CounterSample, evidence: Evidence, now: datetime
) -> Callable[[AtticEntry], Facts]:
    # The elements of one migration share their moment, so questions to the evidence are asked once for each.
    usage: dict[datetime, dict[Element, ElementUsage]] = {}
    hourly: dict[datetime, dict[Element, HourlyUse]] = {}
    coverages: dict[datetime, Coverage] = {}

    def gather(entry: AtticEntry) -> Facts:
        # The log tells milliseconds: a use in the rename's own one comes before it in microseconds.
        since = entry.deprecated_at.replace(microsecond=entry.deprecated_at.microsecond // 1000 * 1000)
        if since not in coverages:
            usage[since] = {found.element: found for found in usage_by_element(evidence, since)}
            hourly[since] = hourly_detail(evidence, since)
            coverages[since] = coverage(evidence, Source.ERROR, since, now)
        present = present_element(snapshot, entry)
        names = _names_in_evidence(snapshot, entry, present)
        seen = [usage[since][name] for name in names if name in usage[since]]
        counted = [hourly[since][name] for name in names if name in hourly[since]]
        applications = {name for found in seen for name in found.applications or found.roles}
        return Facts(
            present=present,
            # Both tables count the same uses where the element was tracked, so the larger figure holds.
            uses=max(sum(found.uses for found in seen), sum(found.uses for found in counted)),
            last_use_at=max([f.last_at for f in seen] + [f.last_at for f in counted], default=None),
            used_by=tuple(sorted(applications)),
            coverage=coverages[since],
            counted=counters.uses_since(entry.object_oid, entry.baseline) if entry.baseline else None,
            dependants=dependants(snapshot, present, known_as=(entry.element.name,)) if present else (),
            reappeared=_reappeared(snapshot, entry.element, present),
        )

    return gather


def _names_in_evidence(snapshot: Snapshot, entry: AtticEntry, present: Element | None) -> set[Element]:
    """The names under which the evidence may have the element: normally its former one.

    The table of a column or constraint may have gone to the attic before or after it, and then has a former
    name of its own.
    """
    names = {entry.element} | ({present} if present else set())
    if present and present.parent:
        table = snapshot.relation(present.schema, present.parent)
        names |= {
            replace(name, parent=other.element.name)
            for other in snapshot.attic
            if table and other.element.kind is Kind.TABLE and other.object_oid == table.oid
            for name in (entry.element, present)
        }
    return names


def _reappeared(snapshot: Snapshot, former: Element, present: Element | None) -> str | None:
    """Say what has the former name now."""
    schema, name = former.schema, former.name
    # The table of a column or constraint may itself have got another name since.
    tables = {element.parent for element in (former, present) if element and element.parent}
    match former.kind:
        case Kind.TABLE | Kind.INDEX | Kind.ENUM | Kind.VIEW | Kind.MATVIEW | Kind.SEQUENCE:
            is_taken = any(
                (_not_shim(snapshot, schema, name), snapshot.index(schema, name), snapshot.enum(schema, name))
            )
        case Kind.COLUMN:
            is_taken = any(
                _not_shim(snapshot, schema, table) and snapshot.column(schema, table, name)
                for table in tables
            )
        case Kind.ENUM_VALUE:
            is_taken = any(snapshot.exists(replace(former, parent=parent)) for parent in tables)
        case Kind.CONSTRAINT:
            is_taken = any(snapshot.constraint(schema, table, name) for table in tables)
    return f"{former.path} exists again" if is_taken else None


def _not_shim(snapshot: Snapshot, schema: str, name: str) -> Relation | None:
    """The relation of that name, unless it is the view that keeps the name working."""
    relation = snapshot.relation(schema, name)
    return None if relation is None or relation.oid in snapshot.shims else relation
