"""May the connected role rename these elements?"""

from collections.abc import Iterator

from catalog.elements import Element, Kind
from migrations.checks.situation import Situation
from migrations.findings import Finding, Severity


def check(situation: Situation) -> Iterator[Finding]:
    """Renaming needs ownership: of the table, for what is a part of one."""
    for element in situation.elements:
        if _owned_object(situation, element) in situation.unowned:
            yield Finding(
                "ownership",
                Severity.BLOCK,
                str(element),
                f"is not owned by role {situation.server.role}, which therefore may not rename it",
                f"Grant its owner's role to {situation.server.role}, or connect as the owner",
            )


def _owned_object(situation: Situation, element: Element) -> int | None:
    snapshot = situation.snapshot
    match element.kind:
        case Kind.CONSTRAINT:
            relation = situation.relation_of(element)
            return relation.oid if relation else None
        case Kind.ENUM_VALUE:
            enum = snapshot.enum(element.schema, element.parent or "")
            return enum.oid if enum else None
        case _:
            return snapshot.oid(element)
