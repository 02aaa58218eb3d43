"""Takes the constants, comments and layout out of a statement: what is left may be stored."""

import hashlib
import re

from pglast.parser import ParseError, Token, scan

# Every token of PostgreSQL's grammar that carries a value.
CONSTANTS = frozenset({"SCONST", "USCONST", "ICONST", "FCONST", "BCONST", "XCONST"})
_COMMENTS = frozenset({"SQL_COMMENT", "C_COMMENT"})
_MINUS = "ASCII_45"
# After one of these a minus is a sign, so -5 and 5 are the same statement.
_BEFORE_SIGN = frozenset(f"ASCII_{ord(character)}" for character in "(,=<>+*/[%^") | {
    "Op",
    "LESS_EQUALS",
    "GREATER_EQUALS",
    "NOT_EQUALS",
}
_PARAMETER = re.compile(r"\$(\d+)")


def normalise(sql: str) -> str | None:
    """The statement with each constant replaced by a free $n, or None where it cannot be read."""
    try:
        tokens = [token for token in scan(sql) if token.name not in _COMMENTS]
    except (ParseError, ValueError):
        return None
    numbers = (_PARAMETER.fullmatch(_text(sql, token)) for token in tokens if token.name == "PARAM")
    next_number = max((int(match[1]) for match in numbers if match), default=0) + 1
    parts: list[str] = []
    end = None
    for place, token in enumerate(tokens):
        if _is_sign(tokens, place):
            continue
        if end is not None and token.start > end + 1:
            parts.append(" ")
        end = token.end
        if token.name in CONSTANTS:
            parts.append(f"${next_number}")
            next_number += 1
        else:
            parts.append(_text(sql, token))
    return "".join(parts)


def unreadable(sql: str) -> str:
    """What stands for a text that is not SQL: anything in it may be a constant."""
    return f"<unreadable statement, {len(sql)} characters>"


def statement_id(normalised: str) -> str:
    """The identity of a normalised statement."""
    return hashlib.sha256(normalised.encode()).hexdigest()[:16]


def _text(sql: str, token: Token) -> str:
    return sql[token.start : token.end + 1]


def _is_sign(tokens: list[Token], place: int) -> bool:
    if tokens[place].name != _MINUS or place == 0 or place + 1 == len(tokens):
        return False
    return tokens[place - 1].name in _BEFORE_SIGN and tokens[place + 1].name in ("ICONST", "FCONST")
