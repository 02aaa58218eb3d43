"""Elements: the things of a database that can be deprecated, and how they are written.

An element is written `kind:schema.name`, and `kind:schema.parent.name` where it belongs to a table or type:

    table:public.users_old            column:public.orders.legacy_status
    index:public.order_status_idx     constraint:public.orders.orders_total_check
    enum:public.order_status          enum_value:public.order_status.cancelled
    view:public.active_users          matview:public.daily_totals
    sequence:public.invoice_numbers

Parts follow PostgreSQL's rules for identifiers: unquoted ones are folded to lower case, quoted ones are
kept as they are (`table:public."Users.Old"`).
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from catalog.errors import ElementSyntaxError


class Kind(StrEnum):
    """What an element is."""

    TABLE = "table"
    COLUMN = "column"
    INDEX = "index"
    CONSTRAINT = "constraint"
    ENUM = "enum"
    ENUM_VALUE = "enum_value"
    VIEW = "view"
    MATVIEW = "matview"
    SEQUENCE = "sequence"

    @property
    def has_parent(self) -> bool:
        """Whether the element is named within a table or type."""
        return self in (Kind.COLUMN, Kind.CONSTRAINT, Kind.ENUM_VALUE)

    @property
    def form(self) -> str:
        """The parts of a name of this kind, as they are to be written."""
        match self:
            case Kind.COLUMN | Kind.CONSTRAINT:
                return "schema.table.name"
            case Kind.ENUM_VALUE:
                return "schema.type.label"
            case _:
                return "schema.name"


_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*")
_PART = re.compile(r'"((?:[^"]|"")+)"|([^\W\d][\w$]*)')


@dataclass(frozen=True, order=True, slots=True)
class Element:
    """One element, under the name by which users knew it.

    `parent` is the table of a column or constraint, and the type of an enum value.
    """

    kind: Kind
    schema: str
    name: str
    parent: str | None = None

    def __post_init__(self) -> None:
        if self.kind.has_parent is (self.parent is None):
            raise ElementSyntaxError(f"{self.kind} wants {self.kind.form}", where=f"{self.kind}:{self.path}")

    @property
    def parts(self) -> tuple[str, ...]:
        """Schema, table or type where there is one, and name."""
        return (self.schema, self.parent, self.name) if self.parent else (self.schema, self.name)

    @property
    def path(self) -> str:
        """The parts as one would type them in SQL."""
        return ".".join(quote_identifier(part) for part in self.parts)

    @property
    def table(self) -> "Element | None":
        """The table that the element is named within, or None."""
        if self.parent is None or self.kind is Kind.ENUM_VALUE:
            return None
        return Element(Kind.TABLE, self.schema, self.parent)

    def __str__(self) -> str:
        return f"{self.kind}:{self.path}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an element as written; raise ElementSyntaxError that says what is expected."""
        kind_text, colon, path = text.strip().partition(":")
        kinds = ", ".join(Kind)
        if not colon:
            raise ElementSyntaxError(
                "no kind before a colon",
                where=repr(text),
                todo=f"Write kind:schema.name, kind one of {kinds}",
            )
        try:
            kind = Kind(kind_text.strip().lower())
        except ValueError:
            raise ElementSyntaxError(
                f"unknown kind {kind_text!r}", where=repr(text), todo=f"Use one of {kinds}"
            ) from None
        parts = split_path(path)
        expected = 3 if kind.has_parent else 2
        if len(parts) != expected:
            raise ElementSyntaxError(
                f"{len(parts)} part{'s' * (len(parts) != 1)} where {kind} has {expected}",
                where=repr(text),
                todo=f"Write {kind}:{kind.form}",
            )
        parent = parts[1] if kind.has_parent else None
        return cls(kind, parts[0], parts[-1], parent)


def split_path(path: str) -> tuple[str, ...]:
    """Split a dotted name into its identifiers as PostgreSQL reads them; raise ElementSyntaxError."""
    parts: list[str] = []
    position = 0
    while True:
        match = _PART.match(path, position)
        if match is None:
            raise ElementSyntaxError(f"not an identifier at character {position + 1}", where=repr(path))
        quoted, plain = match.groups()
        parts.append(quoted.replace('""', '"') if quoted is not None else plain.lower())
        position = match.end()
        if position == len(path):
            return tuple(parts)
        if path[position] != ".":
            raise ElementSyntaxError(f"expected a dot at character {position + 1}", where=repr(path))
        position += 1


def quote_identifier(name: str) -> str:
    """Quote a name only where its characters need it, for people to read; SQL is built with full quotes."""
    if _PLAIN.fullmatch(name):
        return name
    return '"' + name.replace('"', '""') + '"'
