"""Renaming a sequence: defaults and identity columns follow by OID; `nextval('its name')` fails.

A default that was written with the name as a text (`nextval('s'::text)`) does not follow either: no catalog
knows that it means this sequence.
"""

from collections.abc import Iterator

from catalog.database import identifier, literal
from catalog.elements import Element
from catalog.snapshot import Snapshot
from migrations.findings import Finding
from migrations.operations.places import in_schema
from migrations.steps import Place

locate = in_schema


def check(_: Snapshot, __: Element) -> Iterator[Finding]:
    """Nothing of a sequence alone stands in the way; what was counted of it, `use_counted` tells."""
    yield from ()


def rename(place: Place, old: str, new: str) -> str:
    """The statement that renames the sequence."""
    return f"ALTER SEQUENCE {place.path(old)} RENAME TO {identifier(new)}"


def comment(place: Place, name: str, text: str | None) -> str:
    """The statement that sets the sequence's comment; None removes it."""
    return f"COMMENT ON SEQUENCE {place.path(name)} IS {literal(text)}"


def lock(_: Place) -> str:
    """The lock in words: whoever takes a value waits for it too."""
    return "ACCESS EXCLUSIVE on the sequence; inserts that take a value from it wait"


def locks(_: Place) -> int:
    """One, of the sequence."""
    return 1
