"""Would a query silently mean another column by the former name?"""

import re
from collections.abc import Iterator

from catalog.closure import mentions
from catalog.elements import Element, Kind
from catalog.objects import Function
from catalog.snapshot import Snapshot
from ingest.grammar.bodies import read_body
from ingest.grammar.references import ColumnUse, Name
from migrations.checks.situation import Situation
from migrations.findings import Finding, Severity

_NATURAL = re.compile(r"\bNATURAL\b", re.IGNORECASE)


def check(situation: Situation) -> Iterator[Finding]:
    """A name that an inner query lacks is looked for in the outer ones; NATURAL JOIN takes what is left.

    Neither fails: the result is another one, and no log says so.
    """
    for element in situation.elements:
        if element.kind is not Kind.COLUMN:
            continue
        for function in situation.snapshot.functions:
            if not mentions(function.body or "", element.parent or ""):
                continue
            for said in _changes(situation.snapshot, function, element):
                yield Finding(
                    "rebinding",
                    Severity.BLOCK,
                    str(element),
                    f"function {function.schema}.{function.name} {said}: it would go on with another result",
                    "Write the column with its table's name before it, and join with ON",
                )


def _changes(snapshot: Snapshot, function: Function, element: Element) -> Iterator[str]:
    body = read_body(function.language, function.body or "")
    if body is None or body.references is None:
        return
    if _NATURAL.search(body.code):
        yield "joins its table with NATURAL JOIN"
    for one in body.references:
        for use in one.columns:
            outer = _outer_with_it(snapshot, element, use)
            if outer:
                yield f"names it without its table inside a query of {outer}, which has a {element.name} too"


def _outer_with_it(snapshot: Snapshot, element: Element, use: ColumnUse) -> str | None:
    if use.name != element.name:
        return None
    has_table = False
    for level in use.levels:
        if has_table:
            for name in level:
                if _has_column(snapshot, name, element.name):
                    return name[1]
        has_table = has_table or any(
            relation == element.parent and schema in (None, element.schema) for schema, relation in level
        )
    return None


def _has_column(snapshot: Snapshot, name: Name, column: str) -> bool:
    return any(
        relation.name == name[1]
        and name[0] in (None, relation.schema)
        and any(one.name == column for one in relation.columns)
        for relation in snapshot.relations
    )
