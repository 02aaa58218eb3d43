"""Did the server's logs show a use within the policy's window?"""

from collections.abc import Iterator

from migrations.checks.situation import Situation
from migrations.findings import Finding, Severity


def check(situation: Situation) -> Iterator[Finding]:
    """Any logged use blocks, by name or implied by `SELECT *`."""
    for element in situation.elements:
        use = situation.uses.get(element)
        if use is None:
            continue
        implicit = (
            f", {use.implicit_uses} of them implied (SELECT * and the like)" if use.implicit_uses else ""
        )
        yield Finding(
            "use-logged",
            Severity.BLOCK,
            str(element),
            f"{use.uses} uses in the logs, last at {use.last_at:%Y-%m-%d %H:%M} UTC{implicit}",
            f"See who it is with `pgattic usage {element}`",
        )
