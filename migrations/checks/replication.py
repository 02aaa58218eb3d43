"""Would the rename stop a logical replication?"""

from collections.abc import Iterator

from catalog.elements import Kind
from migrations.checks.situation import Situation
from migrations.findings import Finding, Severity


def check(situation: Situation) -> Iterator[Finding]:
    """A published table or column must not be renamed.

    The subscriber stops for all tables of the subscription, and renaming back does not heal it, because the
    WAL already written is decoded with the catalog of its time (measured on 15 and 18).
    """
    for element in situation.elements:
        if element.kind not in (Kind.TABLE, Kind.COLUMN):
            continue
        names = situation.publications.get((element.schema, element.parent or element.name))
        if names:
            yield Finding(
                "replication",
                Severity.BLOCK,
                str(element),
                f"is published by {', '.join(names)}: the rename would stop the whole subscription",
                "Take the table out of the publication first",
            )
