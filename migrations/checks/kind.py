"""What speaks against renaming an element as far as its kind knows."""

from collections.abc import Iterator

from migrations.checks.situation import Situation
from migrations.findings import Finding
from migrations.operations import operation_for


def check(situation: Situation) -> Iterator[Finding]:
    """Ask the operation of each element."""
    for element in situation.elements:
        yield from operation_for(element.kind).check(situation.snapshot, element)
