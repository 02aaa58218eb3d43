"""Patterns: elements written with `*` (any characters) and `?` (one character) in the parts of their names.

    table:public.*_old      column:public.orders.legacy_*      index:*.tmp_*

What stands in double quotes is meant literally, so `table:public."a*b"` is one table, and a quoted piece may
stand beside an unquoted one: `table:public."Old "*`. Unquoted letters are folded to lower case, as PostgreSQL
does; a star matches whatever is there, capital letters too.
"""

import re
from dataclasses import dataclass

from catalog.elements import Element, Kind
from catalog.errors import ElementSyntaxError

_PIECE = re.compile(r'"((?:[^"]|"")*)"|([\w$*?]+)')
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_WILD = {"*": ".*", "?": "."}


@dataclass(frozen=True)
class Pattern:
    """A kind and one expression for each part of the path."""

    kind: Kind
    parts: tuple[re.Pattern[str], ...]

    def matches(self, element: Element) -> bool:
        """Whether an element is of the kind and every part of its path fits."""
        return element.kind is self.kind and all(
            expression.fullmatch(part) for expression, part in zip(self.parts, element.parts, strict=True)
        )


def is_pattern(text: str) -> bool:
    """Whether a text has a star or question mark outside quotes."""
    unquoted = _QUOTED.sub("", text)
    return "*" in unquoted or "?" in unquoted


def parse_pattern(text: str) -> Pattern:
    """Read a pattern; raise ElementSyntaxError that says what is expected."""
    kind_text, colon, path = text.strip().partition(":")
    try:
        kind = Kind(kind_text.strip().lower())
    except ValueError:
        said = f"unknown kind {kind_text!r}" if colon else "no kind before a colon"
        raise ElementSyntaxError(said, where=repr(text), todo=f"Use one of {', '.join(Kind)}") from None
    parts = _parts(path)
    expected = 3 if kind.has_parent else 2
    if len(parts) != expected:
        raise ElementSyntaxError(
            f"{len(parts)} part{'s' * (len(parts) != 1)} where {kind} has {expected}",
            where=repr(text),
            todo="A star matches within one part, never across a dot",
        )
    return Pattern(kind, tuple(parts))


def _parts(path: str) -> list[re.Pattern[str]]:
    parts: list[re.Pattern[str]] = []
    expression, position = "", 0
    while position < len(path):
        if path[position] == "." and expression:
            parts.append(re.compile(expression, re.DOTALL))
            expression, position = "", position + 1
            continue
        match = _PIECE.match(path, position)
        if match is None:
            raise ElementSyntaxError(f"not an identifier at character {position + 1}", where=repr(path))
        quoted, plain = match.groups()
        expression += re.escape(quoted.replace('""', '"')) if plain is None else _wild(plain)
        position = match.end()
    if not expression:
        raise ElementSyntaxError(f"not an identifier at character {position + 1}", where=repr(path))
    return [*parts, re.compile(expression, re.DOTALL)]


def _wild(plain: str) -> str:
    return "".join(_WILD.get(character, re.escape(character)) for character in plain.lower())
