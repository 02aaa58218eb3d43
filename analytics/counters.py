"""What the evidence has of the counters: samples of every node, put together with what is known right now."""

from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from analytics.counting import Counted, Run, Step, count_uses, sampled
from analytics.facts import CountedUses
from analytics.grounds import Grounds
from analytics.own_settings import OwnSettings
from analytics.reconciliation import OWN, KnownScans
from analytics.store import Evidence
from analytics.stretches import Stretch, both, joined, without
from analytics.takeovers import ServerLook, takeovers
from catalog.counters import Baseline

_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Quiet:
    """Since when no node counted a use of an object; `was_used` before that."""

    since: datetime
    was_used: bool


@dataclass(frozen=True)
class Samples:
    """When each node was looked at, by node; `standbys` is the largest number that all of them had together.

    `oldest_sessions` is when the oldest session of a client began that the last look saw, by node. Of each
    look `servers` say which server answered, `registries` of which rename it knew last (None: not noted).
    """

    moments: Mapping[str, tuple[tuple[datetime, bool], ...]]
    standbys: int
    oldest_sessions: Mapping[str, datetime | None]
    servers: Mapping[str, Sequence[ServerLook]]
    registries: Mapping[str, Sequence[tuple[datetime, datetime | None]]]

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes that were ever looked at."""
        return tuple(self.moments)


class Counters:
    """The counters of some objects on every node since a moment: sampled, and of the primary as it is now."""

    def __init__(self, grounds: Grounds, oids: Collection[int], since: datetime) -> None:
        self._evidence = evidence = grounds.evidence
        self._live = grounds.counters
        self._policy = policy = grounds.policy
        self._longest = timedelta(hours=policy.collect_max_gap_hours)
        # The last sample before the moment says what came after it.
        self._from = since - self._longest
        retired = set(policy.retired_nodes)
        self.primary = grounds.nodes[0]
        self.own_settings = OwnSettings(evidence, self._from)
        self._samples = _samples(evidence, self._from, {self.primary: self._live.standbys}, self.own_settings)
        self.nodes = tuple(
            name for name in dict.fromkeys((*grounds.nodes, *self._samples.nodes)) if name not in retired
        )
        self.promotions = {self.primary: self._live.promotions}
        self._taken_over = {node: self._takeovers(node) for node in self.nodes}
        self._runs = _runs(evidence, oids, self._from)
        self._retired = sorted({node for node, _ in self._runs} & retired)
        # No two servers have counted since the same moment.
        by_server: dict[datetime | None, set[str]] = {}
        for node in self.nodes:
            for look in self._servers(node):
                by_server.setdefault(look.kept_since, set()).add(node)
        self._moved = [kept for kept, nodes in by_server.items() if kept is not None and len(nodes) > 1]
        self._looked: dict[tuple[str, datetime], list[Stretch]] = {}
        self._looks: dict[str, tuple[list[tuple[datetime, bool]], list[Stretch]]] = {}

    @property
    def standbys(self) -> int:
        """How many servers streamed from the watched ones at one time, at most."""
        return self._samples.standbys

    @property
    def oldest_session_at(self) -> datetime | None:
        """When the oldest session of a client began: of the primary now, of others at the last look."""
        others = (self._samples.oldest_sessions.get(node) for node in self.nodes if node != self.primary)
        return min((at for at in (self._live.oldest_session_at, *others) if at is not None), default=None)

    def of(self, oid: int, since: datetime, baseline: Baseline | None) -> dict[str, Counted] | None:
        """What each node counted of an object since a moment; None where none ever did."""
        found: dict[str, Counted] = {}
        is_known = False
        for node in self.nodes:
            runs = list(self._runs_of(node, oid, baseline))
            is_known = is_known or bool(runs)
            counted = count_uses(node, runs)
            looked = self._looked_at(node, baseline.taken_at if baseline and node == self.primary else None)
            found[node] = Counted(
                tuple(both(counted.stretches, looked)),
                tuple(step for step in counted.steps if step.end > since),
            )
        if not is_known:
            return None
        elsewhere = tuple(step for step in self._elsewhere(oid, baseline) if step.end > since)
        primary = found[self.primary]
        return found | {self.primary: replace(primary, steps=(*primary.steps, *elsewhere))}

    def _elsewhere(self, oid: int, baseline: Baseline | None) -> Iterator[Step]:
        """Uses that the samples of no node tell of: of retired ones, and while a server changed its name."""
        for node in self._retired:
            yield from count_uses(node, self._runs.get((node, oid), ())).steps
        for kept_since in self._moved:
            named = ((node, run) for node in self.nodes for run in self._runs_of(node, oid, baseline))
            own = sorted(
                ((node, run) for node, run in named if run.kept_since == kept_since),
                key=lambda one: one[1].start,
            )
            for (former, before), (node, after) in pairwise(own):
                if former != node and before.end < after.start:
                    yield from count_uses(node, (before, after)).steps

    def looked_at(self, node: str) -> list[Stretch]:
        """When a node was looked at often enough, whatever the object."""
        return self._looked_at(node, None)

    def known_since(self, node: str, renamed_at: datetime) -> datetime | None:
        """When a node had heard of a rename, which a standby does when it replays it; None: not yet."""
        if node == self.primary:
            return renamed_at
        looks = self._samples.registries.get(node, ())
        heard = (at if known else renamed_at for at, known in looks if known is None or known >= renamed_at)
        return next(heard, None)

    def blind_nodes(self, now: datetime) -> tuple[str, ...]:
        """The nodes that were not looked at of late, besides the primary, which is looked at now."""
        return tuple(
            node
            for node in self.nodes
            if node != self.primary
            and not any(now - at <= self._longest for at, _ in self._samples.moments.get(node, ())[-1:])
        )

    def quiet(self, oid: int, now: datetime) -> Quiet | None:
        """Since when no node counted a use of an object, without a break; None where that is not known."""
        if self.blind_nodes(now):
            return None
        found = [self._quiet_on(node, oid) for node in self.nodes]
        known = [quiet for quiet in found if quiet is not None]
        if len(known) < len(found):
            return None
        return Quiet(max(quiet.since for quiet in known), any(quiet.was_used for quiet in known))

    def _quiet_on(self, node: str, oid: int) -> Quiet | None:
        runs = list(self._runs_of(node, oid, None))
        if not runs:
            return None
        last, counted = runs[-1], count_uses(node, runs)
        if last.reads == last.writes == 0:
            promotions = self.promotions.get(node, ())
            begun = max((at for at in (last.kept_since, last.reset_at, *promotions) if at), default=last.end)
            first = min((at for at, _ in self._samples.moments.get(node, ())), default=runs[0].start)
            # An object that the first looks did not see is younger than the counting.
            begun = begun if first >= runs[0].start else max(begun, runs[0].start)
            looked_at = max((step.used_until for step in counted.steps), default=begun)
            return Quiet(max(begun, looked_at), was_used=looked_at > begun) if looked_at < last.end else None
        # A candidate is no verdict: that a look could hide behind a vacuum is not in its way.
        of_scans = count_uses(node, [replace(run, blocks=None) for run in runs])
        stretches = both(of_scans.stretches, self._looked_at(node, None))
        if not stretches or stretches[-1][1] < last.end:
            return None
        used_at = max((step.used_until for step in counted.steps), default=stretches[-1][0])
        since = max(stretches[-1][0], used_at)
        return Quiet(since, was_used=True) if since < last.end else None

    def known_scans(self, elements: Mapping[str, int], since: datetime) -> dict[int, tuple[KnownScans, ...]]:
        """Scans that are no use, of some elements as the evidence calls them, by OID."""
        found: dict[int, list[KnownScans]] = {}
        for scan in self._live.own_scans:
            if scan.at >= since:
                found.setdefault(scan.oid, []).append(KnownScans(self.primary, scan.at, scan.scans, OWN))
        asked = {"known": list(self._policy.known_readers), "elements": list(elements), "since": since}
        for (_, element), rows in _by_best_source(self._evidence, asked).items():
            found.setdefault(elements[element], []).extend(
                KnownScans(row["node"], row["began_at"], row["scans"], row["reader"])
                for row in rows
                # Its own scans are noted with their number.
                if row["reader"] != OWN
            )
        return {oid: tuple(scans) for oid, scans in found.items()}

    def _runs_of(self, node: str, oid: int, baseline: Baseline | None) -> Iterator[Run]:
        runs = self._runs.get((node, oid), [])
        if node != self.primary:
            yield from runs
            return
        live = self._live.counters.get(oid)
        if baseline is not None:
            yield _first(baseline)
            runs = [
                replace(run, start=max(run.start, baseline.taken_at + _MOMENT))
                for run in runs
                if run.end > baseline.taken_at
            ]
        yield from runs
        taken_at = self._live.taken_at
        if live is not None and all(run.end < taken_at for run in runs):
            kept, reset = self._live.kept_since, self._live.reset_at
            counted = (live.reads, live.writes, live.last_read_at, kept, reset)
            yield Run(taken_at, taken_at, *counted, live.blocks, live.maintenance, live.filenode)

    def _looked_at(self, node: str, first: datetime | None) -> list[Stretch]:
        """When a node was looked at often enough; the primary also at the rename, and now."""
        looks, stretches = self._all_looks(node)
        if first is None:
            return stretches
        key = node, first
        if key not in self._looked:
            place = bisect_right(looks, (first, True))
            after = [stretch for stretch in stretches if stretch[1] > first]
            if after and after[0][0] < first:
                after[0] = first, after[0][1]
            found = joined((*sampled([(first, True), *looks[place : place + 1]], self._longest), *after))
            self._looked[key] = without(found, self._taken_over.get(node, ()))
        return self._looked[key]

    def _all_looks(self, node: str) -> tuple[list[tuple[datetime, bool]], list[Stretch]]:
        """Every look at a node, and the times in which they were often enough."""
        if node not in self._looks:
            looks = list(self._samples.moments.get(node, ()))
            if node == self.primary:
                looks.append((self._live.taken_at, True))
            stretches = without(sampled(looks, self._longest), self._taken_over.get(node, ()))
            self._looks[node] = looks, stretches
        return self._looks[node]

    def _takeovers(self, node: str) -> list[Stretch]:
        """When another server took over its name."""
        return takeovers(self._servers(node), self.promotions.get(node, ()))

    def _servers(self, node: str) -> Iterator[ServerLook]:
        """Which server answered at each look."""
        yield from self._samples.servers.get(node, ())
        if node == self.primary:
            live = self._live
            yield ServerLook(live.taken_at, live.server_started_at, live.kept_since)


def counted_uses(counted: Mapping[str, Counted], known: Sequence[KnownScans]) -> CountedUses:
    """The uses that all nodes counted."""
    return CountedUses(tuple(step for one in counted.values() for step in one.steps), tuple(known))


def _first(baseline: Baseline) -> Run:
    at, kept = baseline.taken_at, baseline.kept_since
    counted = (baseline.reads, baseline.writes, None, kept, baseline.reset_at)
    return Run(at, at, *counted, baseline.blocks, baseline.maintenance, baseline.filenode)


def _samples(
    evidence: Evidence, since: datetime, standbys_now: Mapping[str, int], own: OwnSettings
) -> Samples:
    moments: dict[str, list[tuple[datetime, bool]]] = {}
    sessions: dict[str, datetime | None] = {}
    servers: dict[str, list[ServerLook]] = {}
    registries: dict[str, list[tuple[datetime, datetime | None]]] = {}
    for row in evidence.query("samples", since=since).to_pylist():
        moments.setdefault(row["node"], []).append((row["sampled_at"], bool(row["is_counting"])))
        sessions[row["node"]] = row["oldest_session_at"]
        look = ServerLook(row["sampled_at"], row["server_started_at"], row["kept_since"])
        servers.setdefault(row["node"], []).append(look)
        registries.setdefault(row["node"], []).append((row["sampled_at"], row["registry_at"]))
    # A session goes on counting nothing after its role has the setting no more.
    silent = own.of({"track_counts"})
    counting = {
        node: tuple(
            (at, is_counting and not any(start < at < end for start, end in silent.get(node, ())))
            for at, is_counting in found
        )
        for node, found in moments.items()
    }
    return Samples(counting, _standbys(evidence, since, standbys_now), sessions, servers, registries)


def _standbys(evidence: Evidence, since: datetime, now: Mapping[str, int]) -> int:
    """How many servers streamed from all nodes at one time, at most; one may stream from a standby."""
    by_node: dict[str, int] = {}
    most = 0
    for row in evidence.query("standbys", since=since).to_pylist():
        if row["node"] in by_node:
            # The next round of looks has begun: a node that was left out of it has no standbys there.
            by_node = {}
        by_node[row["node"]] = row["standbys"]
        most = max(most, sum(by_node.values()))
    return max(most, sum((by_node | dict(now)).values()))


def _runs(evidence: Evidence, oids: Collection[int], since: datetime) -> dict[tuple[str, int], list[Run]]:
    found: dict[tuple[str, int], list[Run]] = {}
    for row in evidence.query("runs", oids=sorted(set(oids)), since=since).to_pylist():
        run = Run(
            row["first_at"],
            row["last_at"],
            row["reads"],
            row["writes"],
            row["last_read_at"],
            row["kept_since"],
            row["reset_at"],
            row["blocks"],
            row["maintenance"],
            row["filenode"],
        )
        found.setdefault((row["node"], row["oid"]), []).append(run)
    return found


def _by_best_source(
    evidence: Evidence, asked: Mapping[str, Any]
) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The dumps of each element on each node, from the one source that knows most of them."""
    by_source: dict[tuple[str, str], dict[str, list[dict[str, Any]]]] = {}
    if not asked["elements"]:
        return {}
    for row in evidence.query("dumps", **asked).to_pylist():
        sources = by_source.setdefault((row["node"], row["element"]), {})
        sources.setdefault(row["source"], []).append(row)
    for row in evidence.query("dumps_counted", **asked).to_pylist():
        sources = by_source.setdefault((row["node"], row["element"]), {})
        sources.setdefault("pg_stat_statements", []).append(row)
    return {
        key: max(sources.values(), key=lambda rows: sum(row["scans"] for row in rows))
        for key, sources in by_source.items()
    }
