"""Would the rename stop a logical replication?"""

from collections.abc import Iterator

from catalog.elements import Element, Kind
from migrations.checks.situation import Situation
from migrations.checks.surroundings import Published
from migrations.findings import Finding, Severity


def check(situation: Situation) -> Iterator[Finding]:
    """A published table or column must not be renamed.

    The subscriber stops for all tables of the subscription, and renaming back does not heal it, because the
    WAL already written is decoded with the catalog of its time (measured on 15 and 18). Nobody can answer
    for that while a slot is read from.
    """
    readers = [slot.name for slot in situation.slots if slot.type == "logical" and slot.is_active]
    for element in situation.elements:
        published = _published(situation, element)
        if published is None:
            continue
        names = ", ".join(published.publications)
        if readers:
            yield Finding(
                "publication",
                Severity.BLOCK,
                str(element),
                f"is published by {names}, and slot {', '.join(readers)} is being read: the rename would stop"
                " the whole subscription, and a rollback would not heal it",
                "Take the table out of the publication and refresh the subscription, or disable that first",
            )
        else:
            yield Finding(
                "publication-paused",
                Severity.BLOCK,
                str(element),
                f"is published by {names}; nobody reads it now, but once somebody does, the rename will"
                " stop the whole subscription",
                "Take the table out of the publication first",
            )


def _published(situation: Situation, element: Element) -> Published | None:
    if element.kind not in (Kind.TABLE, Kind.COLUMN):
        return None
    found = situation.published.get((element.schema, element.parent or element.name))
    if found and element.kind is Kind.COLUMN and element.name not in found.columns:
        return None
    return found
