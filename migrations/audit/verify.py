"""Verification: what is wrong with a chain, and at which row; pure.

The chain alone shows *edited* rows, *gaps* and *forks*. That its end was *cut* off, or that it was
*rewritten* as a whole, shows only against seals that were kept elsewhere.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from migrations.audit.chain import GENESIS, AuditRow
from migrations.audit.seal import BrokenSeal, Seal

_INTENTS = {"apply_intent": "apply_outcome", "rollback_intent": "rollback_outcome"}
_OUTCOMES = {outcome: intent for intent, outcome in _INTENTS.items()}


class Tampering(StrEnum):
    """What was done to a chain, as far as its remains tell."""

    EDITED = "edited"
    GAP = "gap"
    FORK = "fork"
    CUT = "cut tail"
    REWRITTEN = "rewritten"
    SEALS = "seals changed"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong; `row` is the first row that it is about (a line, for seals)."""

    kind: Tampering
    row: int
    message: str


@dataclass(frozen=True)
class Verdict:
    """What a verification found; `sealed` is up to which row seals speak for the chain.

    `unfinished` are the intents without an outcome, by row and subject: the process ended in between.
    """

    rows: int
    head: str
    problems: tuple[Problem, ...]
    sealed: int
    unfinished: tuple[tuple[int, str], ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


@dataclass
class _Walk:
    """What is remembered from row to row."""

    wanted: frozenset[int]
    rows: int = 0
    last: AuditRow | None = None
    hashes: set[str] = field(default_factory=lambda: {GENESIS})
    children: dict[str, int] = field(default_factory=dict)
    at_seals: dict[int, set[str]] = field(default_factory=dict)
    intents: dict[tuple[str, str], int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def add(self, kind: Tampering, row: int, message: str) -> None:
        self.problems.append(Problem(kind, row, message))


def verify(rows: Iterable[AuditRow], seals: Sequence[Seal | BrokenSeal] = ()) -> Verdict:
    """Verify the rows of a chain, in the order of their numbers, against its seals."""
    signed = [seal for seal in seals if isinstance(seal, Seal)]
    walk = _Walk(wanted=frozenset(seal.count for seal in signed))
    for row in rows:
        _visit(walk, row)
    _compare(walk, signed)
    _name_broken(walk, seals)
    return Verdict(
        rows=walk.rows,
        head=walk.last.hash if walk.last else GENESIS,
        problems=tuple(sorted(walk.problems, key=lambda problem: problem.row)),
        sealed=max((seal.count for seal in signed), default=0),
        unfinished=tuple(sorted((row, subject) for (_, subject), row in walk.intents.items())),
    )


def _visit(walk: _Walk, row: AuditRow) -> None:
    previous, number = walk.last, row.sequence
    expected = previous.sequence + 1 if previous else 1
    sibling = walk.children.setdefault(row.prev_hash, number)
    if not row.is_whole:
        walk.add(Tampering.EDITED, number, f"row {number} was changed")
    if previous and number == previous.sequence:
        walk.add(Tampering.FORK, number, f"there are two rows with the number {number}")
    elif number > expected:
        missing = f"row {expected} is" if number == expected + 1 else f"rows {expected} to {number - 1} are"
        walk.add(Tampering.GAP, expected, f"{missing} missing")
    elif row.is_whole and sibling == number and row.prev_hash not in walk.hashes:
        _judge_broken_link(walk, row)
    if sibling != number:
        walk.add(Tampering.FORK, number, f"rows {sibling} and {number} both follow the same row")
    _remember(walk, row)


def _judge_broken_link(walk: _Walk, row: AuditRow) -> None:
    previous = walk.last
    if previous is None:
        walk.add(Tampering.EDITED, row.sequence, f"row {row.sequence} does not begin a chain")
    elif previous.is_whole:
        number = previous.sequence
        how = f"row {number} was changed and stamped anew: row {row.sequence} was built on another"
        walk.add(Tampering.EDITED, number, how)


def _remember(walk: _Walk, row: AuditRow) -> None:
    if walk.last and row.sequence == walk.last.sequence:
        walk.hashes.add(row.hash)
    else:
        walk.hashes = {row.hash}
    walk.rows += 1
    walk.last = row
    if row.sequence in walk.wanted:
        walk.at_seals.setdefault(row.sequence, set()).add(row.hash)
    event, subject = str(row.content.get("event")), str(row.content.get("subject"))
    if event in _INTENTS:
        walk.intents[event, subject] = row.sequence
    elif event in _OUTCOMES:
        walk.intents.pop((_OUTCOMES[event], subject), None)


def _compare(walk: _Walk, seals: Sequence[Seal]) -> None:
    """Hold the chain against what it was when it was sealed."""
    length = walk.last.sequence if walk.last else 0
    by_count = sorted(seals, key=lambda seal: seal.count)
    if by_count and by_count[-1].count > length:
        cut = by_count[-1]
        how = f"rows {length + 1} to {cut.count} were cut off: the seal of {cut.at} counted {cut.count} rows"
        walk.add(Tampering.CUT, length + 1, how)
    edited = {problem.row for problem in walk.problems if problem.kind is Tampering.EDITED}
    intact = 0
    for seal in by_count:
        found = walk.at_seals.get(seal.count)
        if found and seal.head not in found and seal.count not in edited:
            how = (
                f"rows from {intact + 1} to {seal.count} were rewritten at least in part:"
                f" the seal of {seal.at} has another hash for row {seal.count}"
            )
            walk.add(Tampering.REWRITTEN, intact + 1, how)
            return
        intact = seal.count if found and seal.head in found else intact


def _name_broken(walk: _Walk, seals: Sequence[Seal | BrokenSeal]) -> None:
    for seal in seals:
        if isinstance(seal, BrokenSeal):
            how = f"line {seal.line} of the seal file is not as our key signed it"
            walk.add(Tampering.SEALS, seal.line, how)
