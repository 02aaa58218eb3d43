"""Takes the constants, comments and layout out of a statement: what is left may be stored.

Lists of values are folded: `IN ($1, ...)`, `VALUES ($1, $2), ...` stand for lists of any length from two on.
"""

import hashlib
from collections.abc import Iterator

from pglast.parser import ParseError, Token, scan

# Every token of PostgreSQL's grammar that carries a value.
CONSTANTS = frozenset({"SCONST", "USCONST", "ICONST", "FCONST", "BCONST", "XCONST"})
_COMMENTS = frozenset({"SQL_COMMENT", "C_COMMENT"})
_PARAMETER = "PARAM"
_VALUE_TOKENS = CONSTANTS | {_PARAMETER}
_MINUS = "ASCII_45"
_COMMA = "ASCII_44"
_CLOSING = {"ASCII_40": "ASCII_41", "ASCII_91": "ASCII_93"}
_OPEN_ROW = "ASCII_40"
# After one of these a minus is a sign, so -5 and 5 are the same statement.
_BEFORE_SIGN = frozenset(f"ASCII_{ord(character)}" for character in "(,=<>+*/[%^") | {
    "Op",
    "LESS_EQUALS",
    "GREATER_EQUALS",
    "NOT_EQUALS",
}
_FOLDED = ", ..."

# A token and where it begins, its sign counted in; or where a folded stretch ends.
_Kept = tuple[int, Token] | int


def normalise(sql: str) -> str | None:
    """The statement with each constant replaced by a free $n, or None where it cannot be read."""
    tokens = _tokens(sql)
    if tokens is None:
        return None
    # The end of each stretch that folding leaves out, by its first token.
    folded = dict(_folded(sql, tokens))
    kept: list[_Kept] = []
    place = 0
    while place < len(tokens):
        if place in folded:
            place = folded[place]
            kept.append(tokens[place - 1].end)
            continue
        start = tokens[place].start
        # A number begins with its sign.
        place += _is_sign(tokens, place)
        kept.append((start, tokens[place]))
        place += 1
    return _written(sql, kept)


def without_values(sql: str) -> str | None:
    """The statement with each constant replaced by an empty one, which still parses; None as above."""
    tokens = _tokens(sql)
    if tokens is None:
        return None
    empty = {"ICONST": "0", "FCONST": "0", "BCONST": "b''", "XCONST": "x''"}
    words = (
        empty.get(token.name, "''") if token.name in CONSTANTS else _text(sql, token) for token in tokens
    )
    return " ".join(words)


def with_values(sql: str, value: str) -> str | None:
    """The statement with each parameter replaced by a constant; None as above.

    `interval $1`, which pg_stat_statements writes for `interval '1 day'`, has no grammar.
    """
    tokens = _tokens(sql)
    if tokens is None:
        return None
    return " ".join(value if token.name == _PARAMETER else _text(sql, token) for token in tokens)


def unreadable(sql: str) -> str:
    """What stands for a text that is not SQL: anything in it may be a constant."""
    return f"<unreadable statement, {len(sql)} characters>"


def statement_id(normalised: str) -> str:
    """The identity of a normalised statement."""
    return hashlib.sha256(normalised.encode()).hexdigest()[:16]


def _tokens(sql: str) -> list[Token] | None:
    try:
        return [token for token in scan(sql) if token.name not in _COMMENTS]
    except (ParseError, ValueError):
        return None


def _written(sql: str, kept: list[_Kept]) -> str:
    parameters = (
        _text(sql, each[1]) for each in kept if not isinstance(each, int) and each[1].name == _PARAMETER
    )
    next_number = max((int(text[1:]) for text in parameters), default=0) + 1
    parts: list[str] = []
    end = None
    for each in kept:
        if isinstance(each, int):
            parts.append(_FOLDED)
            end = each
            continue
        start, token = each
        if end is not None and start > end + 1:
            parts.append(" ")
        end = token.end
        if token.name in CONSTANTS:
            parts.append(f"${next_number}")
            next_number += 1
        else:
            parts.append(_text(sql, token))
    return "".join(parts)


def _text(sql: str, token: Token) -> str:
    return sql[token.start : token.end + 1]


def _is_sign(tokens: list[Token], place: int) -> bool:
    if tokens[place].name != _MINUS or place == 0 or place + 1 == len(tokens):
        return False
    return tokens[place - 1].name in _BEFORE_SIGN and tokens[place + 1].name in CONSTANTS


def _folded(sql: str, tokens: list[Token]) -> Iterator[tuple[int, int]]:
    """The stretches of lists that only say again what an item before them said, values aside."""
    for place, token in enumerate(tokens[:-1]):
        is_list = (token.name == "IN_P" and tokens[place + 1].name == _OPEN_ROW) or (
            token.name == "ARRAY" and tokens[place + 1].name == "ASCII_91"
        )
        if is_list:
            yield from _repeated(sql, tokens, _items(tokens, place + 2))
        elif token.name == "VALUES":
            yield from _repeated(sql, tokens, _rows(tokens, place + 1))


def _repeated(sql: str, tokens: list[Token], items: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Neighbours of one form are one stretch, with the commas before them."""
    form = None
    start = end = 0
    for first, behind in items:
        this = _form(sql, tokens, first, behind)
        if this != form:
            if end > start:
                yield start, end
            form, start = this, behind
        end = behind
    if end > start:
        yield start, end


def _form(sql: str, tokens: list[Token], first: int, behind: int) -> tuple[str, ...]:
    return tuple(
        "$" if tokens[place].name in _VALUE_TOKENS else _text(sql, tokens[place])
        for place in range(first, behind)
        if not _is_sign(tokens, place)
    )


def _items(tokens: list[Token], place: int) -> list[tuple[int, int]]:
    """First token and the one behind the last of each item of a list in brackets; none of an open list."""
    items: list[tuple[int, int]] = []
    first = place
    while place < len(tokens):
        name = tokens[place].name
        if name in _CLOSING:
            place = _behind(tokens, place)
            continue
        if name in (_COMMA, *_CLOSING.values()):
            items.append((first, place))
            first = place + 1
            if name != _COMMA:
                return items
        place += 1
    return []


def _rows(tokens: list[Token], place: int) -> list[tuple[int, int]]:
    rows: list[tuple[int, int]] = []
    while place < len(tokens) and tokens[place].name == _OPEN_ROW:
        behind = _behind(tokens, place)
        rows.append((place, behind))
        if behind >= len(tokens) or tokens[behind].name != _COMMA:
            break
        place = behind + 1
    return rows


def _behind(tokens: list[Token], place: int) -> int:
    """The place behind the bracket that closes the one at a place."""
    depth = 0
    for at in range(place, len(tokens)):
        name = tokens[at].name
        if name in _CLOSING:
            depth += 1
        elif name in _CLOSING.values():
            depth -= 1
            if depth == 0:
                return at + 1
    return len(tokens)
