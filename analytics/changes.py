"""What changed in the verdicts since the last run: for cron, which should speak only when there is news."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from analytics.errors import EvidenceError
from analytics.verdict import Readiness, Verdict
from catalog.files import write_atomically

FILE_NAME = "readiness.json"
_BEST_FIRST = (Verdict.READY, Verdict.UNKNOWN, Verdict.NOT_READY)

State = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """A verdict that is another one than last time; None stands for an element that was, or is, not there."""

    element: str
    migration_id: str
    before: str | None
    after: str | None
    reasons: tuple[str, ...]

    @property
    def is_worse(self) -> bool:
        """Whether a removal has got further away."""
        if self.before is None or self.after is None:
            return False
        return _rank(self.after) > _rank(self.before)


def state_of(found: Iterable[Readiness]) -> dict[str, str]:
    """The verdicts, by what tells the stays of elements in the attic apart."""
    return {_key(one): one.verdict.value for one in found}


def changes(before: State, found: Iterable[Readiness]) -> list[Change]:
    """What is new, what has another verdict, and what is gone; pure."""
    now = {_key(one): one for one in found}
    news = [
        Change(str(one.element), one.migration_id, before.get(key), one.verdict.value, one.reasons)
        for key, one in now.items()
        if before.get(key) != one.verdict.value
    ]
    gone = []
    for key, verdict in before.items():
        if key not in now:
            migration_id, _, element = key.partition(" ")
            gone.append(Change(element, migration_id, verdict, None, ()))
    return news + gone


def load(data_directory: Path) -> dict[str, str]:
    """The verdicts of the last run; empty where there was none. Raises EvidenceError."""
    path = data_directory / FILE_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _unusable(path, error) from error
    if not isinstance(content, dict):
        raise _unusable(path, TypeError("not an object"))
    return {str(key): str(value) for key, value in content.items()}


def save(data_directory: Path, state: State) -> None:
    """Keep the verdicts for the next run; raises EvidenceError."""
    path = data_directory / FILE_NAME
    try:
        write_atomically(path, json.dumps(state, indent=1, ensure_ascii=False).encode())
    except OSError as error:
        raise _unusable(path, error) from error


def _key(one: Readiness) -> str:
    return f"{one.migration_id} {one.element}"


def _rank(verdict: str) -> int:
    return _BEST_FIRST.index(Verdict(verdict)) if verdict in set(_BEST_FIRST) else 0


def _unusable(path: Path, error: Exception) -> EvidenceError:
    return EvidenceError(
        f"the verdicts of the last run cannot be read or kept: {error}",
        where=str(path),
        todo="Check its rights, or remove it: everything is news then",
    )
