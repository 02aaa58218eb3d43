"""Names without a catalog: what statements name, for logs that come from elsewhere without a snapshot.

Every relation that a statement names counts as a table, whatever it really is; without a schema it is one of
`public`, marked ambiguous. A column is one of the relations in sight. Names that follow the convention of
deprecated ones stand for their former names, and count as in the attic from when they are first seen. Views,
functions, triggers and foreign keys say nothing here.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, time

from catalog.attic import AtticEntry
from catalog.elements import Element, Kind
from catalog.names import parse
from ingest.grammar.paths import Path
from ingest.grammar.references import ColumnUse, Name, References
from ingest.meaning.direct import Use
from ingest.meaning.world import World
from ingest.schemas import Operation

_SYSTEM = ("pg_catalog", "information_schema")


def uses_of_names(found: References, world: World, path: Path | None = None) -> dict[Use, None]:
    """The elements that a statement names; what is deprecated among them enters the attic of `world`."""
    names = _Names(world, path)
    uses = dict.fromkeys(names.uses(found))
    for possible in found.possible:
        for use in names.uses(possible):
            uses[Use(use.element, use.operation, ambiguous=True)] = None
    for word in sorted(found.words):
        # Of words that may be anything only those count that nothing else is called.
        if parse(word):
            uses[Use(names.element(Kind.TABLE, (None, word)), Operation.READ, ambiguous=True)] = None
    return uses


class _Names:
    """Takes names for elements, in the schema that the path tells where it is a single one."""

    def __init__(self, world: World, path: Path | None) -> None:
        self._attic = world.attic
        self._schema = path[0] if path and len(path) == 1 else "public"

    def uses(self, found: References) -> Iterator[Use]:
        """What a statement names."""
        relations = {use.relation for use in found.relations if _is_users(use.relation)}
        for relation in found.relations:
            if relation.relation in relations:
                element = self.element(Kind.TABLE, relation.relation)
                yield Use(element, relation.operation, ambiguous=relation.relation[0] is None)
        for column in found.columns:
            yield from self._columns(column, relations)
        for index in found.indexes:
            element = self.element(Kind.INDEX, index.name)
            yield Use(element, index.operation, ambiguous=index.name[0] is None)
        for constraint in found.constraints:
            if constraint.relation:
                element = self.element(Kind.CONSTRAINT, constraint.relation, constraint.name)
                yield Use(element, constraint.operation, ambiguous=constraint.relation[0] is None)
        for named in found.types:
            # Without a catalog any type may be an enum; a deprecated one is.
            if parse(named.name[1]):
                element = self.element(Kind.ENUM, named.name)
                yield Use(element, named.operation, ambiguous=named.name[0] is None)

    def _columns(self, use: ColumnUse, relations: set[Name]) -> Iterator[Use]:
        levels = [[name for name in level if name in relations] for level in use.levels]
        nearest = next((level for level in levels if level), [])
        is_sure = sum(map(len, levels)) == 1
        for relation in nearest:
            element = self.element(Kind.COLUMN, relation, use.name)
            yield Use(element, use.operation, ambiguous=not is_sure or relation[0] is None)

    def element(self, kind: Kind, name: Name, part: str | None = None) -> Element:
        """What a name is taken for: under its former name, where it is a deprecated one."""
        schema = name[0] or self._schema
        former, deprecated = _former(name[1])
        if part is not None:
            table = self._keep(Element(Kind.TABLE, schema, former), deprecated)
            former, deprecated = _former(part)
            return self._keep(Element(kind, schema, former, table.name), deprecated)
        return self._keep(Element(kind, schema, former), deprecated)

    def _keep(self, element: Element, deprecated: str | None) -> Element:
        if deprecated and element not in self._attic:
            found = parse(deprecated)
            assert found is not None
            since = datetime.combine(found.on, time(), UTC)
            self._attic[element] = AtticEntry(
                element, deprecated, "", found.reason, 0, None, since, None, None
            )
        return element


def _former(name: str) -> tuple[str, str | None]:
    """The former name, and the deprecated one where that is what the name is."""
    found = parse(name)
    return (found.stem, name) if found else (name, None)


def _is_users(name: Name) -> bool:
    return name[0] not in _SYSTEM and not (name[0] is None and name[1].startswith("pg_"))
