"""Did the evidence show a use within the policy's window?"""

from collections.abc import Iterator

from catalog.elements import Element
from migrations.checks.situation import Situation
from migrations.findings import Finding, Severity


def check(situation: Situation) -> Iterator[Finding]:
    """Any use seen blocks, of whatever source, by name or implied by `SELECT *`."""
    for element in situation.elements:
        seen = _counted_by_hour(situation, element) or _seen_one_by_one(situation, element)
        if seen:
            yield Finding(
                "use-logged",
                Severity.BLOCK,
                str(element),
                seen,
                f"See who it is with `pgattic usage {element}`",
            )


def _counted_by_hour(situation: Situation, element: Element) -> str | None:
    use = situation.uses.get(element)
    if use is None:
        return None
    implicit = f", {use.implicit_uses} of them implied (SELECT * and the like)" if use.implicit_uses else ""
    return f"{use.uses} uses in the logs, last at {use.last_at:%Y-%m-%d %H:%M} UTC{implicit}"


def _seen_one_by_one(situation: Situation, element: Element) -> str | None:
    # What was in the attic before is kept use by use.
    use = situation.tracked_uses.get(element)
    if use is None:
        return None
    by = f" by {', '.join(use.applications)}" if use.applications else ""
    return f"{use.uses} uses while it was watched, last at {use.last_at:%Y-%m-%d %H:%M} UTC{by}"
