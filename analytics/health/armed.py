"""What is in the attic, and which sensors are on it."""

from collections.abc import Iterable
from dataclasses import dataclass

from catalog.attic import AtticEntry
from catalog.elements import Kind

# Elements that a trigger, a canary or a grant can be put on; the others are for counters, errors and plans.
_ARMABLE = frozenset({Kind.TABLE, Kind.COLUMN})


@dataclass(frozen=True)
class Armed:
    """What is in the attic, and on which of it no sensor is armed that could see it."""

    entries: tuple[AtticEntry, ...]

    @classmethod
    def of(cls, attic: Iterable[AtticEntry]) -> "Armed":
        """Of all that is or was in the attic."""
        return cls(tuple(entry for entry in attic if entry.is_in_attic))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of sensors that are armed anywhere."""
        return tuple(sorted({kind for entry in self.entries for kind in entry.sensors}))

    def number(self, kind: str) -> int:
        """On how many elements such a sensor is armed."""
        return sum(kind in entry.sensors for entry in self.entries)

    @property
    def bare(self) -> tuple[str, ...]:
        """Elements that could have a sensor and have none."""
        return tuple(
            str(entry.element)
            for entry in self.entries
            if not (entry.sensors or entry.unwatched) and (entry.element.kind in _ARMABLE or entry.shim_oid)
        )

    @property
    def in_part(self) -> tuple[str, ...]:
        """Elements of which a part has no sensor, as a partition that was attached later; each in words."""
        return tuple(filter(None, (entry.to_arm for entry in self.entries)))
