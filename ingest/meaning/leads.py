"""Which names can lead to what is in the attic: whoever names none of them does not use it.

A name is tried out, by a statement that does everything with what has it. So whatever is found to follow
from a use is followed here as well.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain

from catalog.elements import Element
from ingest.grammar.references import (
    ConstraintUse,
    Event,
    KeyUse,
    Name,
    NamedUse,
    References,
    RelationUse,
)
from ingest.meaning.resolve import resolve
from ingest.meaning.world import World
from ingest.schemas import Operation

# Some of the server's own functions and views read what they do not name.
_SYSTEM = "pg_"
# Who makes temporary tables all the time makes new names all the time.
_NAMES_KEPT = 50_000


class Leads:
    """Tries names out in one world, and knows them again."""

    def __init__(self, world: World, attic: frozenset[Element], oids: frozenset[int]) -> None:
        """`attic` is what a use is looked for of, and `oids` are those of relations that are or have such."""
        self._world = world
        self._attic = attic
        self._oids = oids
        self._leads = lru_cache(_NAMES_KEPT)(self._tried)

    def any_of(self, names: Iterable[str], events: frozenset[Event]) -> bool:
        """Whether a query may use the attic that has these names and does at most this to rows.

        It defines nothing, and has no constants that may be names.
        """
        return any(self._leads(name, events) for name in names)

    def _tried(self, name: str, events: frozenset[Event]) -> bool:
        schemas = set(self._schemas(name))
        if not schemas and not name.startswith(_SYSTEM):
            return False
        for table in self._world.tables.get(name, ()):
            if table.oid in self._oids or not self._attic.isdisjoint(table.enums.values()):
                return True
        # With its schema a name can mean something else than without.
        names = [(schema, name) for schema in (None, *schemas)]
        return any(use.element in self._attic for use in resolve(_everything(names, events), self._world))

    def _schemas(self, name: str) -> Iterator[str]:
        """The schemas in which something of any kind has the name."""
        world, snapshot = self._world, self._world.snapshot
        elements = (kind.get(name, ()) for kind in (world.indexes, world.constraints, world.enums))
        for element in chain(*elements):
            yield element.schema
        for table in world.tables.get(name, ()):
            yield table.schema
        for thing in (*world.types.get(name, ()), *snapshot.functions_called(name), *snapshot.calls_by(name)):
            yield thing.schema


def _everything(names: Sequence[Name], events: Iterable[Event]) -> References:
    """What a query refers to that does everything with what these names mean."""
    done = ((Operation.READ, None), *((Operation.WRITE, event) for event in events))
    return References(
        is_parsed=True,
        relations=tuple(
            RelationUse(name, operation, is_whole=True, event=event)
            for name in names
            for operation, event in done
        ),
        types=tuple(NamedUse(name, Operation.READ) for name in names),
        indexes=tuple(NamedUse(name, Operation.READ) for name in names),
        constraints=tuple(ConstraintUse(name, None, Operation.READ) for _, name in names),
        keys=tuple(KeyUse(name, frozenset()) for name in names),
        functions=tuple(names),
        words=frozenset(name for _, name in names),
    )
