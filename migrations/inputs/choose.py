"""Choose: all inputs of one plan together, either every entry of them or none."""

from collections.abc import Sequence
from pathlib import Path

from analytics.observed import Candidate
from catalog.counters import CounterSample
from catalog.snapshot import Snapshot
from migrations.errors import PlanError
from migrations.inputs.entries import Entry, from_command_line
from migrations.inputs.lists import read_list
from migrations.inputs.problems import Problem, raise_if_any
from migrations.inputs.reports import read_report
from migrations.inputs.resolve import resolve
from migrations.inputs.wishes import Wish, in_order


def choose(
    snapshot: Snapshot,
    counters: CounterSample,
    *,
    texts: Sequence[str] = (),
    lists: Sequence[Path] = (),
    reports: Sequence[Path] = (),
    candidates: Sequence[Candidate] = (),
    min_confidence: float = 0.0,
) -> tuple[Wish, ...]:
    """The elements that the inputs name, best first.

    Raises InputError that names what is wrong with them, and PlanError where nothing is sure enough.
    """
    entries: list[Entry] = [*from_command_line(texts), *map(_scanned, candidates)]
    problems: list[Problem] = []
    for path in lists:
        _add(entries, problems, read_list(path))
    for path in reports:
        _add(entries, problems, read_report(path, snapshot.database))
    wishes, unresolved = resolve(entries, snapshot)
    raise_if_any([*problems, *unresolved])
    return in_order(_sure_enough(wishes, min_confidence), snapshot, counters)


def _sure_enough(wishes: list[Wish], min_confidence: float) -> list[Wish]:
    sure = [wish for wish in wishes if wish.confidence is None or wish.confidence >= min_confidence]
    if wishes and not sure:
        best = max(wish.confidence or 0.0 for wish in wishes)
        raise PlanError(
            f"no element has a confidence of {min_confidence:g} or more; the best has {best:g}",
            where="--min-confidence",
        )
    return sure


def _scanned(candidate: Candidate) -> Entry:
    return Entry(
        text=str(candidate.element),
        source="scan",
        place="",
        origin="scan",
        confidence=candidate.confidence,
        evidence=(candidate.reason, *candidate.evidence),
    )


def _add(entries: list[Entry], problems: list[Problem], read: tuple[list[Entry], list[Problem]]) -> None:
    entries += read[0]
    problems += read[1]
