"""For which part of a time a use could have been seen, by source and node."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from analytics.doubts import DoubtfulLook, unread
from analytics.logged import SettingsLook, Told, shown
from analytics.own_settings import OwnSettings
from analytics.store import Evidence
from analytics.stretches import Stretch, both, joined, missing, seconds, within, without
from analytics.takeovers import ServerLook, takeovers
from catalog.policy import PolicySettings
from ingest.logs.log_paths import base_name
from ingest.schemas import Source

__all__ = ["Coverage", "Gap", "Stretch", "Watched", "coverage", "summarise", "watched"]

# The last look before a time says what held at its beginning.
_LOOK_BACK = timedelta(days=7)

# What keeps a source out of the log of a session that has it for itself.
_HIDES = {
    Source.ERROR: ("log_min_messages", "log_min_error_statement"),
    Source.SENSOR: ("log_min_messages",),
    Source.AUDIT: ("log_min_messages", "pgaudit.role", "pgaudit.log_client", "pgaudit.log_level"),
    Source.LOG: ("log_min_messages", "log_statement", "log_min_duration_statement"),
    Source.PLAN: (
        "log_min_messages",
        "auto_explain.log_min_duration",
        "auto_explain.sample_rate",
        "auto_explain.log_level",
        "auto_explain.log_nested_statements",
        "auto_explain.log_verbose",
    ),
}

_NONE: Mapping[str, Collection[datetime]] = MappingProxyType({})

Watched = Mapping[Source, Mapping[str, Sequence[Stretch]]]


@dataclass(frozen=True, slots=True)
class Gap:
    """A time of which nothing was read."""

    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of `start` to `end` a source watched on every node; `fraction` is 0 to 1.

    `stretches` are the times that every node was watched, `gaps` the others; `by_node` has the fraction of
    each node.
    """

    source: Source
    start: datetime
    end: datetime
    covered_seconds: float
    fraction: float
    gaps: tuple[Gap, ...]
    stretches: tuple[Stretch, ...] = ()
    by_node: tuple[tuple[str, float], ...] = ()


def coverage(
    evidence: Evidence,
    source: Source,
    since: datetime,
    until: datetime,
    nodes: Collection[str] = (),
    policy: PolicySettings | None = None,
) -> Coverage:
    """What was read of a source from `since` to `until`.

    A moment counts only where every node that was ever read, or is named in `nodes`, was read then: a use
    on a replica that nobody looked at is a use unseen. Nothing is asked of the policy's retired nodes.
    """
    by_node = watched(evidence, since, until, nodes, policy)[source] if since < until else {}
    return summarise(source, since, until, by_node)


def watched(
    evidence: Evidence,
    since: datetime,
    until: datetime,
    nodes: Collection[str] = (),
    policy: PolicySettings | None = None,
    promotions: Mapping[str, Collection[datetime]] = _NONE,
    own: OwnSettings | None = None,
) -> Watched:
    """When the log of each node was read, for each source; a node never read has an empty set.

    The times of which lines are lost are taken out, and those in which the log may not show what it should,
    or is another one than that which is read. `promotions` are when the present servers of nodes became
    primaries. Nothing is asked of the policy's retired nodes.
    """
    policy = policy or PolicySettings()
    looks = evidence.query("settings_looks", since=since - _LOOK_BACK).to_pylist()
    taken_over = _taken_over(looks, promotions)
    rows = evidence.query(
        "coverage",
        since=since,
        until=until,
        nodes=[node for node, _ in taken_over],
        moments=[at for _, at in taken_over],
    ).to_pylist()
    lost: dict[str, list[Stretch]] = {}
    for row in evidence.query("lost_lines", since=since - _LOOK_BACK, until=until).to_pylist():
        lost.setdefault(row["node"], []).append((row["gap_from"], row["gap_to"]))
    names = {*nodes, *(row["node"] for row in rows)} - {*policy.retired_nodes}
    found: dict[Source, dict[str, list[Stretch]]] = {
        source: {name: [] for name in names} for source in Source
    }
    read: dict[str, dict[str, list[Stretch]]] = {"read": {}, "understood": {}}
    for row in rows:
        if row["source"] is None or row["node"] not in names:
            continue
        by_node = read[row["source"]] if row["source"] in read else found[Source(row["source"])]
        by_node.setdefault(row["node"], []).append((row["covered_from"], row["covered_to"]))
    errors = _shown(looks, policy, Source.ERROR, _told(evidence, since - _LOOK_BACK, lost))
    # What shows failed statements shows lines of sensors, but in a line not understood one may hide. A log
    # tells only of settings that decide on failed statements.
    for source, shown_to, how in (
        (Source.ERROR, errors, "read"),
        (Source.SENSOR, errors, "understood"),
        (Source.AUDIT, _shown(looks, policy, Source.AUDIT, {}), "understood"),
    ):
        for node, proved in shown_to.items():
            claimed = found[source].get(node, [])
            found[source][node] = joined([*claimed, *both(read[how].get(node, []), proved)])
    unread_at, own = _unread(evidence, looks), own or OwnSettings(evidence, since)
    hidden = {source: own.of(settings) for source, settings in _HIDES.items()}
    return {
        source: {
            name: without(
                stretches,
                (*lost.get(name, ()), *unread_at.get(name, ()), *hidden.get(source, {}).get(name, ())),
            )
            for name, stretches in by_node.items()
        }
        for source, by_node in found.items()
    }


def _taken_over(
    rows: Iterable[Mapping[str, Any]], promotions: Mapping[str, Collection[datetime]]
) -> list[tuple[str, datetime]]:
    """The nodes whose name another server took over, and when."""
    looks: dict[str, list[ServerLook]] = {node: [] for node in promotions}
    for row in rows:
        look = ServerLook(row["sampled_at"], row["server_started_at"], row["kept_since"])
        looks.setdefault(row["node"], []).append(look)
    return [
        (node, at) for node, found in looks.items() for _, at in takeovers(found, promotions.get(node, ()))
    ]


def _unread(evidence: Evidence, rows: Iterable[Mapping[str, Any]]) -> dict[str, list[Stretch]]:
    """When each node wrote a log that nobody has read."""
    files: dict[str, set[str]] = {}
    for read in evidence.query("read_files").to_pylist():
        files.setdefault(read["node"], set()).add(base_name(Path(read["path"])))
    looks: dict[str, list[DoubtfulLook]] = {}
    for row in rows:
        look = DoubtfulLook(row["sampled_at"], log=row["log_file"])
        looks.setdefault(row["node"], []).append(look)
    return {node: unread(found, files.get(node, ())) for node, found in looks.items()}


def _shown(
    rows: Iterable[Mapping[str, Any]], policy: PolicySettings, source: Source, told: Mapping[str, Told]
) -> dict[str, list[Stretch]]:
    """When looks at its settings, and what its log tells of them, prove that a node's log showed a source."""
    looks: dict[str, list[SettingsLook]] = {}
    for row in rows:
        shows_it = source.value in (row["sources"] or ())
        look = SettingsLook(row["sampled_at"], row["settings_since"], shows_it, row["server_started_at"])
        looks.setdefault(row["node"], []).append(look)
    trusted = timedelta(minutes=policy.same_settings_minutes)
    return {
        node: shown(found, trusted, told.get(node))
        for node, found in looks.items()
        if node not in policy.retired_nodes
    }


def _told(evidence: Evidence, since: datetime, lost: Mapping[str, Sequence[Stretch]]) -> dict[str, Told]:
    """What the log of each node tells of its settings."""
    found: dict[str, Told] = {}
    for row in evidence.query("setting_lines", since=since).to_pylist():
        told = found.setdefault(row["node"], Told())
        told.read.append((row["covered_from"], row["covered_to"]))
        told.reloads += row["reloads"]
        told.changes += row["setting_changes"]
    return {
        node: replace(told, read=without(joined(told.read), lost.get(node, ())))
        for node, told in found.items()
    }


def summarise(
    source: Source, since: datetime, until: datetime, nodes: Mapping[str, Sequence[Stretch]]
) -> Coverage:
    """Put together when each node was watched; without a node nothing was."""
    by_node = {name: within(stretches, since, until) for name, stretches in sorted(nodes.items())}
    covered = common(by_node.values())
    window = (until - since).total_seconds()

    def fraction(covered_seconds: float) -> float:
        return min(1.0, covered_seconds / window) if window > 0 else 0.0

    covered_seconds = seconds(covered)
    return Coverage(
        source,
        since,
        until,
        covered_seconds,
        fraction(covered_seconds),
        tuple(Gap(*stretch) for stretch in missing(covered, since, until)),
        tuple(covered),
        tuple((name, fraction(seconds(stretches))) for name, stretches in by_node.items()),
    )


def common(sets: Iterable[Sequence[Stretch]]) -> list[Stretch]:
    """What lies in all sets; nothing where there is none."""
    found: list[Stretch] | None = None
    for stretches in sets:
        found = list(stretches) if found is None else both(found, stretches)
    return found or []
