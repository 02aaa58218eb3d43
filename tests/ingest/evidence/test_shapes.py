"""Two statements of one telling shape are one statement, as PostgreSQL's own scanner sees them."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pglast.parser import ParseError, scan

from ingest.evidence.shapes import shapes, telling
from ingest.grammar.normalise import CONSTANTS, normalise

_NUMBERS = [
    "1", "23", "4.5", "6.", ".7", "8e9", "1.5e-3", "2E+4", "0x1F", "0b11", "0o17", "1_000", "1__0", "12abc",
    "1.5.2", "1..10", "-5", "- 5", "5e", "7e-", "0", "$1", "$2", "$12", "$1a", "1a$1", "007",
]  # fmt: skip
_STRINGS = [
    "''", "'a'", "'it''s'", "'--'", "'/*'", "'\"'", "'é'", "'1'", "E'a'", "E'a\\'b'", "e'\\\\'", "'\\'",
    "N'x'", "B'01'", "x'fF'", "U&'\\0061'", "U&'d!0061'", "'a'\n'b'", "'a' -- x\n'b'", "'a' 'b'",
    "$$a$$", "$$'$$", "$x$ $$ ' $x$", "$é$a$é$", "'$1'", "'$$'", "'\x01'",
]  # fmt: skip
_NAMES = [
    "a", "b", "t1", "t2", "é1", "é2", "a$1", "a$2", "a$b", "_1", "x1", '"a"', '"b"', '"a""b"', '"it\'s"',
    '"--"', '"/*"', '"é"', '"1"', '"in (1"', '"values (a)"', 'U&"\\0061"', "U&\"d!0061\" UESCAPE '!'",
    "UESCAPE '#'", '"', "'",
]  # fmt: skip
_COMMENTS = [
    "-- x", "-- it's\n", "--\n", "/* x */", "/**/", "/***/", "/* ' */", "/* \" */", "/* a /* b */ c */",
    "/* // */", "/*/ x */", "/* x", "*/", "/*a='b',c='d'*/",
]  # fmt: skip
_SIGNS = [*"()[],;:=<>+-*/%^|&?#@!~`.\\$\x01\r", "::", "..", ":=", "=>", "<=", "<>", "->>"]
_WORDS = [
    "select", "in", "IN (1, 2)", "in (-1,2, '3')", "in ($1, $2)", "values", "(1, 'a'), (2, 'b')",
    "values (1),(2)", "(a, 1), (a, 2)", "array[1, 2]", "interval", "and", "\n", " ", "\t", "\n ", "null",
]  # fmt: skip
_PIECES = st.sampled_from([*_NUMBERS, *_STRINGS, *_NAMES, *_COMMENTS, *_SIGNS, *_WORDS])
_TEXTS = st.lists(st.tuples(_PIECES, st.sampled_from(["", " ", " "])), max_size=9).map(
    lambda pieces: "".join(piece + space for piece, space in pieces)
)


def key(text: str | bytes) -> bytes | None:
    """What a text is known by, if it has a telling shape."""
    value = text.encode() if isinstance(text, str) else text
    return telling(shapes(pa.array([value], pa.binary()))[0].as_py())


def other_constants(text: str, data: st.DataObject) -> str:
    """The same text with other constants and comments in the same places."""
    try:
        found = scan(text)
    except (ParseError, ValueError):
        return text
    parts: list[str] = []
    end = 0
    for token in found:
        parts.append(text[end : token.start])
        end = token.end + 1
        part = text[token.start : end]
        if token.name in CONSTANTS:
            part = data.draw(st.sampled_from([*_NUMBERS, *_STRINGS]))
        elif token.name in ("SQL_COMMENT", "C_COMMENT"):
            part = data.draw(st.sampled_from(_COMMENTS))
        parts.append(part)
    return "".join([*parts, text[end:]])


@settings(max_examples=300)
@given(_TEXTS, st.data())
def test_one_telling_shape_is_one_statement(text: str, data: st.DataObject) -> None:
    other = other_constants(text, data)
    first, second = key(text), key(other)
    if first is not None and first == second:
        assert normalise(text) == normalise(other)


def test_one_telling_shape_is_one_statement_for_every_two_pieces() -> None:
    """Any two of many short texts: what hypothesis may not put side by side."""
    pieces = [*_NUMBERS, *_STRINGS, *_NAMES, *_COMMENTS, *_SIGNS, *_WORDS]
    texts = [f"select {one}{space}{two} x" for one in pieces for two in pieces for space in ("", " ")]
    found: dict[bytes, str] = {}
    encoded = pa.array([text.encode() for text in texts], pa.binary())
    for text, shape in zip(texts, shapes(encoded).cast(pa.binary()).to_pylist(), strict=True):
        known = telling(shape or b"")
        if known is None:
            continue
        other = found.setdefault(known, text)
        assert normalise(text) == normalise(other), (text, other)
    assert len(found) > 10_000


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("select a from t where b = 1", "select a from t where b = 2.5e-7"),
        ("select 'a', \"B\".c from t", "select 'it''s', \"B\".c from t"),
        ("select a /* x='1' */ from t -- 1", "select a /* y='2', \" */ from t -- it's"),
        ("select 'é', 'x' from t", "select 'ü', '' from t"),
        ("select a where b in (1, 2) limit 7", "select a where b in (3,4 , 5, 6) limit 8"),
        ("insert into t values (1, 'a'), (2, 'b')", "insert into t values (1, 'a'), (2, 'b'), (3, 'c')"),
    ],
)
def test_what_differs_in_constants_has_one_shape(text: str, other: str) -> None:
    assert key(text) is not None
    assert key(text) == key(other)


@pytest.mark.parametrize(
    "text",
    [
        "select E'a'",
        "select '\\'",
        "select $$a$$",
        "select é from t",
        "select /* a /* b */ c */ 1",
        'select "a',
        "select U&\"d!0061\" uescape '!'",
        "select 'a'\n'b'",
        "select '\x01'",
    ],
)
def test_what_is_not_understood_has_no_telling_shape(text: str) -> None:
    assert key(text) is None


def test_bytes_of_any_encoding_have_a_shape() -> None:
    assert key(b"select '\xe9' from t") == key(b"select '\xff\xfe' from t") is not None
    assert key(b"select \xe9 from t") is None
