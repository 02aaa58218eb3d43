"""Does something alive refer to the element by its OID?"""

from collections.abc import Iterator

from migrations.checks.situation import Situation
from migrations.findings import Finding, Severity

# Each of these has a check of its own.
_ELSEWHERE = frozenset({"foreign key", "partition", "inheriting table", "parent", "publication"})


def check(situation: Situation) -> Iterator[Finding]:
    """Views, rules, policies, defaults, generated columns and the like block, unless they go along."""
    for element, found in situation.dependants.items():
        for dependant in found:
            by_words = dependant.kind == "function" and dependant.how.startswith("mentions")
            goes_along = {f"{dependant.kind}:{dependant.name}", dependant.part_of} & situation.planned
            if dependant.kind in _ELSEWHERE or by_words or goes_along:
                continue
            yield Finding(
                "dependants",
                Severity.BLOCK,
                str(element),
                f"{dependant.kind} {dependant.name} {dependant.how}",
                f"Change or deprecate the {dependant.kind} first",
            )
