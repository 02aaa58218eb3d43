"""Who holds a lock right now that the rename would wait for?"""

from collections.abc import Iterator

from catalog.elements import Kind
from migrations.checks.situation import Situation
from migrations.findings import Finding, Severity

_WORTH_MENTIONING_SECONDS = 1.0


def check(situation: Situation) -> Iterator[Finding]:
    """An open transaction makes the rename of a table time out; index and enum renames wait for nobody."""
    for element in situation.elements:
        if element.kind not in (Kind.TABLE, Kind.COLUMN, Kind.CONSTRAINT):
            continue
        table = situation.snapshot.relation(element.schema, element.parent or element.name)
        for holder in situation.holders:
            if table and holder.oid == table.oid and holder.seconds >= _WORTH_MENTIONING_SECONDS:
                yield Finding(
                    "activity",
                    Severity.WARN,
                    str(element),
                    f"is open in a transaction of {holder.seconds:.0f} s: pid {holder.pid},"
                    f" {holder.application or 'no application name'}, role {holder.role}, {holder.state}",
                    "The rename gives up after lock_timeout and tries again; nobody queues for long",
                )
