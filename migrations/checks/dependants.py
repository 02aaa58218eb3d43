"""Does something alive refer to the element by its OID?"""

from collections.abc import Iterator

from catalog.closure import Dependant
from catalog.elements import Element, Kind
from catalog.objects import CHILDREN
from migrations.checks.situation import Situation
from migrations.findings import Finding, Severity

# Each of these has a check of its own.
_ELSEWHERE = frozenset({"foreign key", *CHILDREN, "parent", "publication", "subscription"})


def check(situation: Situation) -> Iterator[Finding]:
    """Views, rules, policies, defaults, generated columns and the like block, unless they go along."""
    for element, found in situation.dependants.items():
        for dependant in found:
            by_words = dependant.kind == "function" and dependant.how.startswith("mentions")
            goes_along = {f"{dependant.kind}:{dependant.name}", dependant.part_of} & situation.planned
            if dependant.kind in _ELSEWHERE or by_words or goes_along or situation.goes_along(dependant):
                continue
            yield Finding(
                "dependants",
                Severity.BLOCK,
                str(element),
                f"{dependant.kind} {dependant.name} {dependant.how}",
                _todo(situation, element, dependant),
            )


def _todo(situation: Situation, element: Element, dependant: Dependant) -> str:
    if dependant.kind == "index" and element.kind in (Kind.INDEX, Kind.CONSTRAINT):
        # Of a partition: PostgreSQL removes it only with this one.
        part = situation.enforced_by(dependant) or f"index:{dependant.name}"
        return f"Put {part} into the plan, too"
    if dependant.kind == "CLUSTER":
        return f"If nothing runs CLUSTER of it: ALTER TABLE {dependant.name} SET WITHOUT CLUSTER"
    return f"Change or deprecate the {dependant.kind} first"
