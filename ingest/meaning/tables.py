"""Tables, views and sequences under the names of a moment, made when somebody asks for them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from catalog.elements import Element
from catalog.objects import Relation


@dataclass(frozen=True, eq=False)
class Table:
    """A table, view or sequence under the names of a moment; `element` is None for a foreign table.

    A shim is a table too: the one that it keeps working, under the names that it shows. `columns` are
    elements, `shown` all names of columns, those of a view too, `enums` the enum types of columns by their
    names, and `stored` the names that the snapshot has for columns, where those are others.
    """

    oid: int
    schema: str
    name: str
    kind: str
    element: Element | None
    columns: dict[str, Element]
    shown: frozenset[str] = frozenset()
    enums: dict[str, Element] = field(default_factory=dict)
    stored: dict[str, str] = field(default_factory=dict)


class Tables(Mapping[str, Sequence[Table]]):
    """Tables by the names they had: a catalog may have many thousands, and a log names few of them."""

    def __init__(self, make: Callable[[Relation], Table]) -> None:
        self._make = make
        self._relations: dict[str, list[Relation]] = {}
        self._made: dict[str, list[Table]] = {}

    def add_relation(self, name: str, relation: Relation) -> None:
        """A relation had that name; before the first look-up only."""
        self._relations.setdefault(name, []).append(relation)

    def add(self, table: Table) -> None:
        """A table had its name besides what else had it."""
        self._relations.setdefault(table.name, [])
        self._made[table.name] = [*self[table.name], table]

    def __getitem__(self, name: str) -> Sequence[Table]:
        if name not in self._made:
            self._made[name] = [self._make(relation) for relation in self._relations[name]]
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._relations

    def __iter__(self) -> Iterator[str]:
        return iter(self._relations)

    def __len__(self) -> int:
        return len(self._relations)
