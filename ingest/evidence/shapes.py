"""The shape of a log line: what is left of it without constants and comments, found for many lines at once.

A shape is a key for caches and nothing else; it is never stored. Two statements of one *telling* shape are
the same but for their constants, so that only one of them has to be read with PostgreSQL's own scanner. One
statement may have several shapes. `tests/ingest/evidence/test_shapes.py` holds that against the scanner.
"""

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# Stands for what was taken out.
MARK = b"\x01"
# The shape of a text that holds the mark itself; it is not a telling one.
NO_SHAPE = MARK + MARK

# Text stays bytes: outside of constants and quoted names only ASCII is understood, and every encoding that a
# server can have writes all other characters with other bytes.
_STRING = r"(?:'[^'\\]*')+"
_NUMBER = r"\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b"
_CONSTANTS = rf"{_STRING}|{_NUMBER}"
# Of a comment its signs are left; one within another is not understood.
_COMMENT = r"(--)[^\n\r]*|(/\*)(?:[^*/]|\*+[^*/]|/+[^*/])*\**(\*/)"
# A pattern with groups takes half as long again. It is for the few texts that have a comment, or a quoted
# name with what would be a constant elsewhere.
_KEPT = r'"[^"]*"'
_ALL = rf"({_KEPT})|{_CONSTANTS}|{_COMMENT}"
# There are no conditions in a replacement: what is kept gets the mark behind it too, and loses it then.
_MARKED = r"\1\2\3\4" + MARK.decode()
_KEPT_AND_MARKED = rf"({_KEPT}|--|/\*\*/){MARK.decode()}"
_HAS_MARKED_NAME = rf'^[^"]*(?:"[^"]*"[^"]*)*"[^"]*{MARK.decode()}'
# Looked for in shapes, of which there are few. The signs of a first comment always stay in one: what could
# pair quotes wrongly before it leaves a backslash, a dollar or a marked name, and none of those is telling.
_NEEDS_ALL = rf"{_HAS_MARKED_NAME}|--|/\*"
# The number of a parameter is no constant; so written it is none for the patterns either.
_DOLLAR, _DOLLAR_IN_SHAPE = "$", "$_"

_CONSTANT = re.compile(_CONSTANTS.encode(), re.ASCII)
_NAME = re.compile(rb'"[^"]*"')
# Where one of these is left, a constant or comment was not understood, or touches what could make another
# token of it: `'a'` and `'b'` on two lines are one constant, `e'…'` has escapes, and so on.
_UNTOLD = re.compile(
    rb"['\\\x00\x80-\xff]|\$(?!\d)|/\*(?!\*/)|--(?![\n\r]|\Z)"
    rb'|[\w.$"]\x01|\x01[\w.$"]|\x01(?:\s|--|/\*\*/)*\x01|\buescape\b',
    re.IGNORECASE,
)
# Lists are folded as normalise.py does it, where nothing but constants is in them.
_VALUE = rb"-?\x01"
_VALUES = re.compile(rb"(\bin\s*\(\s*" + _VALUE + rb")(?:\s*,\s*" + _VALUE + rb")+(\s*\))", re.IGNORECASE)
_ROWS = re.compile(rb"(\bvalues\s*(\([^()]*\)))(?:\s*,\s*\2)+", re.IGNORECASE)


def shapes(texts: "pa.Array[Any]") -> "pa.DictionaryArray[Any, Any]":
    """The shape of each text, NO_SHAPE where the text holds the mark itself; both binary, without NULLs."""
    # To look for something in all texts at once costs next to nothing.
    data = _bytes_of(texts)
    plain = pc.replace_substring(texts, _DOLLAR, _DOLLAR_IN_SHAPE) if _DOLLAR.encode() in data else texts
    found: Any = pc.replace_substring_regex(plain, _CONSTANTS, MARK.decode()).dictionary_encode()
    is_other = pc.match_substring_regex(found.dictionary, _NEEDS_ALL).take(found.indices)
    if pc.any(is_other).as_py():
        others = pc.replace_substring_regex(plain.filter(is_other), _ALL, _MARKED)
        others = pc.replace_substring_regex(others, _KEPT_AND_MARKED, r"\1")
        found = pc.replace_with_mask(found.dictionary_decode(), is_other, others).dictionary_encode()
    if MARK in data:
        has_mark = pc.match_substring(texts, MARK.decode())
        found = pc.if_else(has_mark, pa.scalar(NO_SHAPE, pa.binary()), found.dictionary_decode())
        found = found.dictionary_encode()
    whole: pa.DictionaryArray[Any, Any] = found
    return whole


def shape_of(text: bytes) -> bytes:
    """The shape of one text that has no comments, quoted names or parameters."""
    return _CONSTANT.sub(MARK, text)


def telling(shape: bytes) -> bytes | None:
    """The key of all statements that a shape stands for, or None where it is not a telling one.

    Lists of constants of different lengths have one key.
    """
    plain = shape.replace(_DOLLAR_IN_SHAPE.encode(), _DOLLAR.encode())
    # What is in a quoted name is a name, whatever it looks like.
    names = _NAME.findall(plain)
    if any(MARK in name for name in names) or plain.count(b'"') % 2:
        return None
    if _UNTOLD.search(_NAME.sub(b'""', plain)):
        return None
    if any(b"(" in name for name in names):
        return plain
    return _ROWS.sub(rb"\1, ...", _VALUES.sub(rb"\1, ...\2", plain))


def _bytes_of(texts: "pa.Array[Any]") -> bytes:
    """All texts, one behind the other."""
    _, offsets, data = texts.buffers()
    if offsets is None or data is None or not len(texts):
        return b""
    ends = np.frombuffer(memoryview(offsets), dtype=np.int32)
    return bytes(memoryview(data)[ends[texts.offset] : ends[texts.offset + len(texts)]])
