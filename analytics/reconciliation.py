"""What was counted, held against what lines and known readers explain; pure.

A scan counts one, whoever made it. A dump makes exactly one scan of a table and one read of a sequence, so a
line that says so by a known reader explains one, and so does each that pgattic made and noted itself. What is
left was somebody's use; where no line shows a use either, nobody knows whose: an unexplained use.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from analytics.counting import Step

# The scan of a dump is counted when the dump ends, which can be long after the line that says COPY.
DUMP_TAKES_AT_MOST = timedelta(days=1)
# Who made the scans that pgattic noted.
OWN = "pgattic"
_NOTHING: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class KnownScans:
    """Scans on a node, at `at` or soon after, that are no use: by whom, as far as lines or notes tell."""

    node: str
    at: datetime
    scans: int
    by: str


class Explanations:
    """Known scans, each of which explains one use that was counted; `explained` is how many, by whom.

    Ask in the order in which the counted stretches end: of the scans that may explain a use the first one is
    taken, as the others may explain a later one.
    """

    def __init__(self, known: Iterable[KnownScans]) -> None:
        self._known = sorted(known, key=lambda scans: scans.at)
        self._unspent = [scans.scans for scans in self._known]
        self.explained: dict[str, int] = {}

    def take(self, node: str, start: datetime, end: datetime, uses: int) -> int:
        """Explain what can be of the uses that a node counted from `start` to `end`; how many are left."""
        for place, scans in enumerate(self._known):
            if scans.node == node and start - DUMP_TAKES_AT_MOST <= scans.at <= end:
                taken = min(uses, self._unspent[place])
                uses -= taken
                self._unspent[place] -= taken
                if taken:
                    self.explained[scans.by] = self.explained.get(scans.by, 0) + taken
        return uses


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The counted uses of one element that no known reader explains.

    `reads` are scans and `writes` rows, `looks` and `rewrites` as in the steps; `last_at` is when the last
    one was at the latest; `nodes` are where; `explained` are scans by each known reader; `unexplained` are
    uses that no line shows either.
    """

    reads: int = 0
    writes: int = 0
    last_at: datetime | None = None
    nodes: tuple[str, ...] = ()
    explained: tuple[tuple[str, int], ...] = ()
    unexplained: int = 0
    looks: int = 0
    rewrites: int = 0

    @property
    def uses(self) -> int:
        """All that was somebody's, at least."""
        return self.reads + self.writes + self.looks + self.rewrites


def reconcile(
    steps: Iterable[Step],
    known: Iterable[KnownScans],
    seen: Mapping[str, int] = _NOTHING,
    since: datetime | None = None,
) -> Reconciled:
    """Take what is explained out of what was counted.

    `seen` is how many uses lines show that were executed, by node; with `since`, only steps that end after
    it matter.
    """
    explanations = Explanations(known)
    left: list[tuple[Step, int]] = []
    for step in sorted(steps, key=lambda step: step.end):
        reads = explanations.take(step.node, step.start, step.end, step.reads)
        if (reads or step.writes or step.looks or step.rewrites) and (since is None or step.end > since):
            left.append((step, reads))
    return _sum_up(left, explanations.explained, seen)


def _sum_up(
    left: Sequence[tuple[Step, int]], explained: Mapping[str, int], seen: Mapping[str, int]
) -> Reconciled:
    counted: dict[str, int] = {}
    for step, number in left:
        counted[step.node] = counted.get(step.node, 0) + number + step.writes + step.looks + step.rewrites
    reads, writes = sum(number for _, number in left), sum(step.writes for step, _ in left)
    looks, rewrites = sum(step.looks for step, _ in left), sum(step.rewrites for step, _ in left)
    return Reconciled(
        reads,
        writes,
        max((_last(step, number) for step, number in left), default=None),
        tuple(sorted({step.node for step, _ in left})),
        tuple(sorted(explained.items())),
        # What a line shows on one server explains nothing that another one counted.
        sum(max(0, uses - seen.get(node, 0)) for node, uses in counted.items()),
        looks,
        rewrites,
    )


def _last(step: Step, reads: int) -> datetime:
    # Where some of the scans are explained, the last one of all may be among those.
    return step.used_until if reads == step.reads else step.end
