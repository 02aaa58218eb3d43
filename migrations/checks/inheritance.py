"""Is the table a part of another, or made of others?"""

from collections.abc import Iterator

from migrations.checks.situation import Situation
from migrations.findings import Finding, Severity

_KINDS = frozenset({"partition", "inheriting table", "parent"})


def check(situation: Situation) -> Iterator[Finding]:
    """Whoever reads the parent reads its children, without naming them."""
    for element, found in situation.dependants.items():
        for dependant in found:
            goes_along = {f"table:{dependant.name}", f"index:{dependant.name}"} & situation.planned
            if dependant.kind not in _KINDS or goes_along:
                continue
            said = f"{dependant.kind} {dependant.name} {dependant.how}"
            todo = "Put both into the plan, or detach the child from its parent first"
            if dependant.kind == "parent":
                yield Finding("part-of-parent", Severity.BLOCK, str(element), said, todo)
            else:
                yield Finding("inherited-by", Severity.BLOCK, str(element), said, todo)
