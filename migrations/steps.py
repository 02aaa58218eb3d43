"""Steps: one rename each, with the exact SQL in both directions."""

from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

from catalog.database import identifier
from catalog.elements import Element


def _element(value: Any) -> Any:
    return Element.parse(value) if isinstance(value, str) else value


# In files an element stands as people write it.
ElementText = Annotated[Element, BeforeValidator(_element), PlainSerializer(str)]


@dataclass(frozen=True)
class Place:
    """Where an element is now: its schema, its table where it has one, and the OID that finds it again.

    `column_number` tells the columns of a table apart; `index` is the index behind a constraint; `table_oid`
    finds the table again when it is itself renamed in between; `children` counts the partitions and
    inheriting tables that are locked with it. An enum value has its type where others have their table.
    """

    schema: str
    table: str | None
    object_oid: int
    column_number: int | None = None
    index: str | None = None
    table_oid: int | None = None
    children: int = 0

    def in_table(self, table: str | None) -> "Place":
        """The same place when its table is called so."""
        return replace(self, table=table)

    def path(self, name: str) -> str:
        """A name in this schema, quoted."""
        return identifier(self.schema, name)

    @property
    def table_path(self) -> str:
        """The table, quoted."""
        assert self.table is not None
        return identifier(self.schema, self.table)


@dataclass(frozen=True)
class Shim:
    """The view that keeps a former name working.

    `relation` is what it shows, under the name that it has behind the view; `is_hidden` where that was
    renamed only to make room for the view, as a table whose column is deprecated.
    """

    schema: str
    name: str
    relation: str
    is_hidden: bool = False

    def removal(self, view: str | None = None, relation: str | None = None) -> tuple[str, ...]:
        """The statements that take it away again; view and relation may have other names by now."""
        drop = f"DROP VIEW {identifier(self.schema, view or self.name)}"
        return (drop, *self.uncover(relation)) if self.is_hidden else (drop,)

    def cover(self) -> tuple[str, ...]:
        """The statement that makes room for the view, where the relation still has its name."""
        shown = identifier(self.schema, self.name)
        return (f"ALTER TABLE {shown} RENAME TO {identifier(self.relation)}",) if self.is_hidden else ()

    def uncover(self, relation: str | None = None) -> tuple[str, ...]:
        """The statement that gives a hidden table its name back, once the view is gone."""
        hidden = identifier(self.schema, relation or self.relation)
        return (f"ALTER TABLE {hidden} RENAME TO {identifier(self.name)}",) if self.is_hidden else ()


@dataclass(frozen=True)
class Step:
    """One element of a plan: the statements that put it into the attic and those that bring it back.

    `group` is the table, type, view or sequence whose steps belong together; `locks` is how many locks it
    takes at most; `shim` is the view that keeps its former name working, where one is wanted. Columns of one
    table share a shim: the last of them makes it, and its way back begins with removing it.
    """

    element: ElementText
    deprecated_name: str
    object_oid: int
    column_number: int | None
    lock: str
    up: tuple[str, ...]
    down: tuple[str, ...]
    group: str = ""
    locks: int = 1
    shim: Shim | None = None
