"""Calls of statements: what the nodes' pg_stat_statements counted since a moment, and for which time.

Counts of calls only go up, as long as the entries are kept. What takes entries away (a reset, a crash, a lack
of room) leaves a gap, from the last look before it to the moment when counting began again; so does a
restart, as nobody can tell whether the library was loaded all the time. Calls that are counted at the first
look after a rename may be older than that, unless the text says the deprecated name.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import dropwhile, pairwise
from operator import attrgetter
from typing import Any

from analytics.logged import SettingsLook, shown
from analytics.own_settings import OwnSettings
from analytics.reconciliation import OWN, Explanations, KnownScans
from analytics.store import Evidence
from analytics.stretches import Stretch, both, joined, within, without
from analytics.takeovers import ServerLook, takeovers
from catalog.elements import Element
from catalog.policy import PolicySettings

_moment = attrgetter("at")
# Who has one of these for himself is not counted as the server says.
_HIDES = ("pg_stat_statements.track", "pg_stat_statements.track_utility", "compute_query_id")


@dataclass(frozen=True, slots=True)
class CallLook:
    """A look at a node's pg_stat_statements, from `at` to `read_at`; the rest is as in the table `sample`.

    `began_at` is since when it has counted without a break, as far as this look alone can tell.
    """

    at: datetime
    read_at: datetime
    reset_at: datetime
    evicted: int
    entries: int
    calls: int
    began_at: datetime
    settings_since: datetime
    tells_all: bool
    server: ServerLook
    registry_at: datetime | None

    def has_heard_of(self, renamed_at: datetime) -> bool:
        """Whether the server knew of a rename: a standby can lag behind. An older pgattic did not note it."""
        return self.registry_at is None or self.registry_at >= renamed_at

    def follows(self, before: "CallLook") -> bool:
        """Whether nothing was lost between an earlier look and this one."""
        return (
            (self.began_at, self.reset_at, self.evicted) == (before.began_at, before.reset_at, before.evicted)
            and self.entries >= before.entries
            and self.calls >= before.calls
        )


@dataclass(frozen=True, slots=True)
class Run:
    """Looks at which the calls of one statement had come to one number; `looks` is how many there were."""

    start: datetime
    end: datetime
    calls: int
    looks: int
    after_rename: bool = False


@dataclass(frozen=True, slots=True)
class CalledStep:
    """Calls on a node between two looks, of one statement by a role; `is_dump` where it may be pg_dump's."""

    node: str
    start: datetime
    end: datetime
    calls: int
    statement_id: str | None = None
    role: str | None = None
    operation: str | None = None
    is_dump: bool = False


@dataclass(frozen=True, slots=True)
class CalledUses:
    """The calls of statements that use an element, on all nodes since its rename.

    Those that are no use are in `ignored`, by the role that made them.
    """

    steps: tuple[CalledStep, ...] = ()
    ignored: tuple[tuple[str, int], ...] = ()

    def since(self, moment: datetime) -> "CalledUses":
        """Those that may have been after a moment."""
        return CalledUses(tuple(step for step in self.steps if step.end > moment), self.ignored)

    @property
    def calls(self) -> int:
        """How many there were."""
        return sum(step.calls for step in self.steps)

    @property
    def by_node(self) -> dict[str, int]:
        """How many there were on each node that counted any."""
        found: dict[str, int] = {}
        for step in self.steps:
            found[step.node] = found.get(step.node, 0) + step.calls
        return found

    @property
    def statements(self) -> int:
        """How many statements they were of."""
        return len({step.statement_id for step in self.steps})

    @property
    def roles(self) -> tuple[str, ...]:
        """Who made them."""
        return tuple(sorted({step.role for step in self.steps if step.role}))

    @property
    def last_at(self) -> datetime | None:
        """When the last one was, at the latest."""
        return max((step.end for step in self.steps), default=None)


class Calls:
    """The calls of statements on every node since a moment, of some elements under all their names."""

    def __init__(
        self,
        evidence: Evidence,
        policy: PolicySettings,
        nodes: Sequence[str],
        names: Collection[Element],
        since: datetime,
        own: OwnSettings | None = None,
    ) -> None:
        self._policy = policy
        self._longest = timedelta(hours=policy.collect_max_gap_hours)
        self._nodes = nodes
        self._looks = _looks(evidence, since)
        self._hidden = (own or OwnSettings(evidence, since)).of(_HIDES)
        self._watched = {node: self._watched_on(node) for node in nodes}
        self._runs = _runs(evidence, names, since) if self._looks else {}

    def looked_at(self, node: str) -> list[Stretch]:
        """When a node counted every statement, whatever the element."""
        return self._watched.get(node, [])

    def of(
        self, names: Iterable[Element], since: datetime, known: Iterable[KnownScans] = ()
    ) -> tuple[CalledUses | None, dict[str, list[Stretch]]]:
        """What was called since a rename, and when each node could tell; None where none was ever read.

        `known` are scans by dumps, and by pgattic itself.
        """
        wanted = sorted({str(name) for name in names})
        steps: list[CalledStep] = []
        watched: dict[str, list[Stretch]] = {}
        is_read = False
        for node in self._nodes:
            looks = self._looks.get(node, [])
            later = looks[bisect_right(looks, since, key=_moment) :]
            looks = list(dropwhile(lambda look: not look.has_heard_of(since), later))
            is_read = is_read or bool(looks)
            counted = list(self._steps(node, looks, wanted, since))
            steps += [step for step in counted if step.operation is not None]
            doubts = [(step.start, step.end) for step in counted if step.operation is None]
            watched[node] = self._watched_since(node, looks, doubts)
        if not is_read:
            return None, watched
        return used(steps, known, self._policy.known_readers), watched

    def _steps(
        self, node: str, looks: Sequence[CallLook], names: Iterable[str], since: datetime
    ) -> Iterator[CalledStep]:
        """The calls that use some elements, and those that may use them (or anything), with no operation."""
        for name in (*names, None):
            for (statement_id, role, operation, is_dump), runs in self._runs.get((node, name), {}).items():
                # Names that nothing has any more can hide a use only in a text that is older than the rename.
                is_old = name is None and statement_id is not None
                for start, end, calls in called(looks, runs, since, only_old=is_old):
                    yield CalledStep(node, start, end, calls, statement_id, role, operation, is_dump)

    def _watched_since(
        self, node: str, looks: Sequence[CallLook], doubts: Iterable[Stretch]
    ) -> list[Stretch]:
        """When a node could tell, from the first look on that knew of the rename."""
        if not looks:
            return []
        found = within(self._watched[node], looks[0].read_at, looks[-1].at)
        return without(found, doubts)

    def _watched_on(self, node: str) -> list[Stretch]:
        looks = self._looks.get(node, [])
        # A setting that was changed between two looks, and changed back, shows in no look.
        told = [SettingsLook(look.at, look.settings_since, look.tells_all) for look in looks]
        trusted = timedelta(minutes=self._policy.same_settings_minutes)
        found = both(joined(self._counted(looks)), shown(told, trusted))
        return without(found, self._hidden.get(node, ()))

    def _counted(self, looks: Sequence[CallLook]) -> Iterator[Stretch]:
        for before, after in pairwise(looks):
            if not after.tells_all or after.at - before.at > self._longest:
                continue
            if after.follows(before):
                if before.tells_all:
                    yield before.at, after.at
            elif _is_same_server(before, after) and _has_kept_all(before, after):
                yield after.began_at, after.at


def _is_same_server(before: CallLook, after: CallLook) -> bool:
    """Whether the counting began anew between two looks; another server has counted for itself."""
    is_another = bool(takeovers([before.server, after.server]))
    return before.at < after.began_at and not is_another


def _has_kept_all(before: CallLook, after: CallLook) -> bool:
    """Whether nothing was evicted since the counting began anew between two looks."""
    if before.reset_at != after.reset_at:
        return after.evicted == 0
    return after.evicted == before.evicted and after.entries >= before.entries and after.calls >= before.calls


def used(
    steps: Iterable[CalledStep], known: Iterable[KnownScans], known_readers: Collection[str]
) -> CalledUses:
    """Take out the dumps that are no use: by known readers, and as many as lines or notes know of; pure."""
    left: list[CalledStep] = []
    ignored: Counter[str] = Counter()
    # A backup by pgattic notes two scans, of which one is a COPY; its other scans are none.
    explanations = Explanations(
        replace(dump, scans=dump.scans // 2) if dump.by == OWN else dump for dump in known
    )
    for step in sorted(steps, key=lambda step: step.end):
        calls = step.calls
        if step.is_dump and step.role is not None and step.role in known_readers:
            ignored[step.role] += calls
            continue
        if step.is_dump:
            calls = explanations.take(step.node, step.start, step.end, calls)
        if calls:
            left.append(replace(step, calls=calls))
    ignored.update(explanations.explained)
    return CalledUses(tuple(left), tuple(sorted(ignored.items())))


def called(
    looks: Sequence[CallLook], runs: Iterable[Run], since: datetime, *, only_old: bool = False
) -> Iterator[tuple[datetime, datetime, int]]:
    """The calls of one statement between looks after a moment: from when to when, and how many; pure.

    `looks` are all of a node after the moment, and `runs` are sorted by their start. With `only_old`, calls
    of what was not there at the look before do not count.
    """
    last: Run | None = None
    for run in runs:
        place = bisect_left(looks, run.start, key=_moment)
        before, last = last, run
        if place == len(looks) or looks[place].at != run.start:
            continue
        after = looks[place]
        if place == 0:
            # What was there at the first look may be older, unless the counting or the text is younger.
            if run.after_rename or after.began_at > since:
                yield since, after.at, run.calls
        else:
            start = looks[place - 1]
            was_there = before is not None and before.end == start.at
            goes_on = before is not None and was_there and start.reset_at == after.reset_at
            counted = before.calls if goes_on and before is not None and before.calls <= run.calls else 0
            if was_there or not only_old:
                yield start.at, after.at, run.calls - counted
        if run.looks < bisect_right(looks, run.end, key=_moment) - place:
            # It was gone in between, and came back to the number that it had.
            yield run.start, run.end, run.calls


def _looks(evidence: Evidence, since: datetime) -> dict[str, list[CallLook]]:
    found: dict[str, list[CallLook]] = {}
    for row in evidence.query("call_looks", since=since).to_pylist():
        began = [row[key] for key in ("reset_at", "server_started_at", "kept_since") if row[key]]
        look = CallLook(
            row["sampled_at"],
            row["read_at"],
            row["reset_at"],
            row["evicted"],
            row["entries"],
            row["calls"],
            max(began),
            row["settings_since"],
            row["tells_all"],
            ServerLook(row["sampled_at"], row["server_started_at"], row["kept_since"]),
            row["registry_at"],
        )
        found.setdefault(row["node"], []).append(look)
    return found


_Series = tuple[str | None, str | None, str | None, bool]


def _runs(
    evidence: Evidence, names: Collection[Element], since: datetime
) -> dict[tuple[str, str | None], dict[_Series, list[Run]]]:
    """The runs of each statement, by node and element, then by statement, role and operation."""
    found: dict[tuple[str, str | None], dict[_Series, list[Run]]] = {}
    asked: dict[str, Any] = {"elements": sorted({str(name) for name in names}), "since": since}
    for row in evidence.query("calls", **asked).to_pylist():
        series = (row["statement_id"], row["role"], row["operation"], row["is_dump"])
        run = Run(row["first_at"], row["last_at"], row["calls"], row["looks"], bool(row["after_rename"]))
        found.setdefault((row["node"], row["element"]), {}).setdefault(series, []).append(run)
    return found
