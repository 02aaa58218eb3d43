"""Does an extension own the element?"""

from collections.abc import Iterator

from migrations.checks.situation import Situation
from migrations.findings import Finding, Severity


def check(situation: Situation) -> Iterator[Finding]:
    """What belongs to an extension, or to one of its tables, goes and is updated with it."""
    for element in situation.elements:
        relation = situation.relation_of(element)
        if relation and relation.extension:
            yield Finding(
                "extension-owned",
                Severity.BLOCK,
                str(element),
                f"belongs to the extension {relation.extension}, whose scripts rely on its name",
                "Remove the extension instead, if nothing needs it",
            )
