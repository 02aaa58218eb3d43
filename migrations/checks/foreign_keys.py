"""Do foreign keys point to the table, or from it?"""

from collections.abc import Iterator

from catalog.elements import Element, Kind
from catalog.objects import Constraint
from migrations.checks.situation import Situation
from migrations.findings import Finding, Severity


def check(situation: Situation) -> Iterator[Finding]:
    """A key of a live table that points here is a use; one from here lets others read and empty the table."""
    for element, found in situation.dependants.items():
        for dependant in found:
            if dependant.kind == "foreign key" and dependant.part_of not in situation.planned:
                yield Finding(
                    "foreign-key",
                    Severity.BLOCK,
                    str(element),
                    f"foreign key {dependant.name} {dependant.how}: each row written there reads this table",
                    "Remove the foreign key, or deprecate its table too",
                )
        if element.kind is Kind.TABLE:
            yield from _outgoing(situation, element)


def _outgoing(situation: Situation, table: Element) -> Iterator[Finding]:
    for key in situation.snapshot.constraints_of(table.schema, table.name):
        if key.type != "f" or key.is_inherited:
            continue
        target = Element(Kind.TABLE, key.references_schema or "", key.references_table or "")
        if target == table or str(target) in situation.planned:
            continue
        changes = _changes_rows(key)
        yield Finding(
            "foreign-key-out",
            Severity.WARN if changes else Severity.INFO,
            str(table),
            f"foreign key {key.name} to {target.path} stays in force: a row deleted there"
            f" {'changes rows here' if changes else 'is looked for here'}",
            "Remove the foreign key before the table, and rather now if its rows must stay as they are"
            if changes
            else "Nothing now; it counts as scans of this table and must go before the table does",
        )


def _changes_rows(key: Constraint) -> bool:
    return any(f" {action}" in key.definition for action in ("CASCADE", "SET NULL", "SET DEFAULT"))
