"""May the connected role rename these elements, and are they the user's at all?"""

from collections.abc import Iterator

from catalog.elements import Kind
from migrations.checks.situation import Situation
from migrations.findings import Finding, Severity
from migrations.operations import operation_for


def check(situation: Situation) -> Iterator[Finding]:
    """Renaming needs ownership; system schemas are not part of the snapshot and so never get here."""
    for element in situation.elements:
        place = operation_for(element.kind).locate(situation.snapshot, element)
        if place is None:
            continue
        oid = place.object_oid
        if element.kind is Kind.CONSTRAINT:
            table = situation.snapshot.relation(element.schema, element.parent or "")
            oid = table.oid if table else oid
        if oid in situation.unowned:
            yield Finding(
                "ownership",
                Severity.BLOCK,
                str(element),
                f"is not owned by role {situation.role}, which therefore may not rename it",
                f"Grant its owner's role to {situation.role}, or connect as the owner",
            )
