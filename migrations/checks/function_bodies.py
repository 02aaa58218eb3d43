"""Does the body of a function name the element?"""

import re
from collections.abc import Iterator

from catalog.closure import mentions
from catalog.elements import Element, Kind, quote_identifier
from catalog.objects import CHILDREN, Function, StoredUse
from catalog.snapshot import Snapshot
from ingest.grammar.bodies import Body, read_body
from migrations.checks.situation import Situation
from migrations.findings import Finding, Severity

_ATOMIC = re.compile(r"\s*(BEGIN\s+ATOMIC|RETURN)\b", re.IGNORECASE)


def check(situation: Situation) -> Iterator[Finding]:
    """A body is a text that a rename does not follow; unless it surely means something else, it blocks."""
    for element in situation.elements:
        for function in mentioning(situation, element):
            if surely_unrelated(situation.snapshot, function, element):
                continue
            yield Finding(
                "function-body",
                Severity.BLOCK,
                str(element),
                f"function {function.schema}.{function.name}({function.arguments}) mentions it in its body"
                f"{_called_by(situation.snapshot, function)}",
                "Change or remove the function first; after the rename it fails where it names the element",
            )


def mentioning(situation: Situation, element: Element) -> Iterator[Function]:
    """The functions whose bodies have the element's name as a word."""
    found = situation.dependants[element]
    names = {d.name for d in found if d.kind == "function" and d.how.startswith("mentions")}
    for function in situation.snapshot.functions if names else ():
        # Several functions can share a name.
        if f"{quote_identifier(function.schema)}.{quote_identifier(function.name)}" in names and (
            element.kind is Kind.ENUM_VALUE or mentions(function.body or "", element.name)
        ):
            yield function


def surely_unrelated(snapshot: Snapshot, function: Function, element: Element) -> bool:
    """Whether a body that has the name as a word surely means something else by it. False when in doubt."""
    text = function.body or ""
    if function.language == "sql" and _ATOMIC.match(text):
        # Stored parsed: what it refers to stands in the catalog, by OID, and was looked at there.
        return True
    body = read_body(function.language, text) if function.language in ("sql", "plpgsql") else None
    if body is None or mentions(body.constants, element.name):
        return False
    if not mentions(body.code, element.name):
        return True
    match element.kind:
        case Kind.TABLE | Kind.VIEW | Kind.MATVIEW | Kind.SEQUENCE:
            return _names_no_relation(body, element)
        case Kind.COLUMN:
            return _never_meets_the_table(snapshot, function, body, element)
        case _:
            return False


def _names_no_relation(body: Body, element: Element) -> bool:
    """Each mention is in a query that parses, and none of those names a relation or type so."""
    if body.queries is None or body.references is None:
        return False
    if _count(body.code, element.name) != sum(_count(query, element.name) for query in body.queries):
        return False
    meant = ((None, element.name), (element.schema, element.name))
    return not any(use.relation in meant for one in body.references for use in one.relations) and not any(
        use.name in meant for one in body.references for use in one.types
    )


def _never_meets_the_table(snapshot: Snapshot, function: Function, body: Body, element: Element) -> bool:
    """No way for a row of the column's table, or of a child of it, to get into the function."""
    tables = {(element.schema, element.parent or "")}
    tables |= {(use.schema, use.name) for use in _children(snapshot, element)}
    relations = [found for place in tables if (found := snapshot.relation(*place))]
    if any(mentions(f"{body.code}\n{body.constants}", relation.name) for relation in relations):
        return False
    if any(
        (g.function_schema, g.function_name) == (function.schema, function.name)
        and (g.schema, g.table) in tables
        for g in snapshot.triggers
    ):
        return False
    row_types = {relation.row_type_oid for relation in relations}
    handlers = {f.name for f in snapshot.functions if row_types.intersection(f.type_oids)}
    return function.name not in handlers and not any(mentions(body.code, name) for name in handlers)


def _children(snapshot: Snapshot, element: Element) -> list[StoredUse]:
    uses = snapshot.stored_uses_of("relation", element.schema, element.parent or "")
    return [use for use in uses if use.kind in CHILDREN]


def _called_by(snapshot: Snapshot, function: Function) -> str:
    triggers = [
        f"{trigger.name} on {trigger.schema}.{trigger.table}"
        for trigger in snapshot.triggers
        if (trigger.function_schema, trigger.function_name) == (function.schema, function.name)
    ]
    if not triggers:
        return ""
    return f"; trigger {', '.join(triggers)} calls it, so writing there would fail"


def _count(text: str, name: str) -> int:
    return len(re.findall(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE))
