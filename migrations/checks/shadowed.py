"""Would an unqualified name silently find something else after the rename?"""

from collections.abc import Iterator

from catalog.elements import Element, Kind, quote_identifier
from migrations.checks.situation import Situation
from migrations.findings import Finding, Severity

_RELATIONS = frozenset({Kind.TABLE, Kind.VIEW, Kind.MATVIEW, Kind.SEQUENCE})


def check(situation: Situation) -> Iterator[Finding]:
    """PostgreSQL looks for a name in one schema of the search_path after the other."""
    for element in situation.elements:
        others = _others(situation, element)
        if not others:
            continue
        for path in situation.search_paths:
            if element.schema not in path.schemas:
                continue
            later = path.schemas[path.schemas.index(element.schema) + 1 :]
            schema = next((schema for schema in later if schema in others), None)
            if schema:
                yield Finding(
                    "shadowed-name",
                    Severity.BLOCK,
                    str(element),
                    f"stands before {quote_identifier(schema)}.{quote_identifier(element.name)} in the"
                    f" search_path of {path.who}: whoever writes the bare name would silently get that one",
                    f"Remove the one in {quote_identifier(schema)} first, or change that search_path",
                )
                break


def _others(situation: Situation, element: Element) -> frozenset[str]:
    """The schemas that have something else which the bare name could mean."""
    snapshot = situation.snapshot
    if element.kind in _RELATIONS:
        named = {relation.schema for relation in snapshot.relations_called(element.name)}
    elif element.kind is Kind.ENUM:
        # Every relation has a row type of its name.
        named = {relation.schema for relation in snapshot.relations_called(element.name)}
        named |= {enum.schema for enum in snapshot.enums if enum.name == element.name}
    else:
        return frozenset()
    return frozenset(named - {element.schema})
