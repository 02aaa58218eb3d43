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
    finds the table again when it is itself renamed in between.
    """

    schema: str
    table: str | None
    object_oid: int
    column_number: int | None = None
    index: str | None = None
    table_oid: int | None = None

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
class Step:
    """One element of a plan: the statements that put it into the attic and those that bring it back."""

    element: ElementText
    deprecated_name: str
    object_oid: int
    column_number: int | None
    lock: str
    up: tuple[str, ...]
    down: tuple[str, ...]
