"""Does something alive refer to the element?"""

from collections.abc import Iterator

from catalog.closure import dependants
from migrations.checks.situation import Situation
from migrations.findings import Finding, Severity


def check(situation: Situation) -> Iterator[Finding]:
    """Anything that refers to the element and is not renamed with it blocks."""
    planned = {str(element) for element in situation.elements}
    for element in situation.elements:
        for dependant in dependants(situation.snapshot, element):
            if f"{dependant.kind}:{dependant.name}" in planned:
                continue
            yield Finding(
                "dependants",
                Severity.BLOCK,
                str(element),
                f"{dependant.kind} {dependant.name} {dependant.how}",
                f"Change or deprecate the {dependant.kind} first",
            )
