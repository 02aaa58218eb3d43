"""Does an index go along with the constraint?"""

from collections.abc import Iterator

from catalog.elements import Kind, quote_identifier
from migrations.checks.situation import Situation
from migrations.findings import Finding, Severity


def check(situation: Situation) -> Iterator[Finding]:
    """A constraint that stands on an index is renamed with it, and whoever names the index notices."""
    for element, place in situation.places.items():
        if element.kind is Kind.CONSTRAINT and place.index:
            yield Finding(
                "index-behind",
                Severity.INFO,
                str(element),
                f"stands on the index {quote_identifier(place.index)}, which is renamed with it",
                "Look for scripts that name the index (REINDEX, CLUSTER); the rule itself stays in force",
            )
