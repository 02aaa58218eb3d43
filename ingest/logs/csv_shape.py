"""Where the records of a csvlog begin and end, and how to get past what no CSV writer writes."""

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ingest.logs.log_times import MOMENT
from ingest.logs.records import Reject

NEXT_RECORD = re.compile(rb"\n(?=" + MOMENT + rb",)")
_QUOTE, _COMMA, _NEWLINE, _RETURN = b'",\n\r'

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Shape:
    """Where records end, where the quotes stand, and where they first go wrong."""

    ends: Positions
    quotes: Positions
    damage: int | None


@dataclass(frozen=True, slots=True)
class Cut:
    """A stretch cut into records and rejects; `length` of it is done with. `widths` counts fields."""

    begins: Positions
    ends: Positions
    widths: Positions
    rejects: list[Reject]
    length: int


def shape(buffer: bytes, start: int = 0) -> Shape:
    """The shape of a buffer from a record's beginning on; positions count from there."""
    data = np.frombuffer(buffer, dtype=np.uint8)[start:]
    quotes = np.flatnonzero(data == _QUOTE)
    newlines = np.flatnonzero(data == _NEWLINE)
    # A character is outside quotes when an even number of quotes stands before it.
    ends = newlines[np.searchsorted(quotes, newlines) % 2 == 0] + 1
    return Shape(ends, quotes, _first_damage(data, quotes))


def has_many_signs(buffer: bytes) -> bool:
    """Whether there are so many quotes or newlines that their places take many times the buffer's bytes."""
    data = np.frombuffer(buffer, dtype=np.uint8)
    return any(np.count_nonzero(data == sign) * 3 > len(data) for sign in (_QUOTE, _NEWLINE))


def cut(buffer: bytes, *, is_final: bool) -> Cut:
    """Cut a stretch at the ends of records; what is none goes up to the next line that begins like one."""
    data = np.frombuffer(buffer, dtype=np.uint8)
    begins: list[Positions] = []
    ends: list[Positions] = []
    widths: list[Positions] = []
    rejects: list[Reject] = []
    position = 0
    while position < len(buffer):
        found = shape(buffer, position)
        sound = found.ends if found.damage is None else found.ends[found.ends <= found.damage]
        done = int(sound[-1]) if len(sound) else 0
        if done:
            begins.append(np.concatenate((np.zeros(1, np.int64), sound[:-1])) + position)
            ends.append(sound + position)
            widths.append(_widths(data[position : position + done], found.quotes, sound))
        position += done
        if (found.damage is None and not is_final) or position == len(buffer):
            break
        following = NEXT_RECORD.search(buffer, position)
        if following is None and not is_final:
            break
        reason = "quotes out of place" if found.damage is not None else "record not complete"
        stop = following.end() if following else len(buffer)
        rejects.append(Reject(position, stop - position, reason))
        position = stop
    return Cut(_joined(begins), _joined(ends), _joined(widths), rejects, position)


def first_width(buffer: bytes, found: Shape) -> int:
    """How many fields the first record of a buffer of this shape has."""
    end = int(found.ends[0])
    data = np.frombuffer(buffer, np.uint8)[:end]
    return int(_widths(data, found.quotes[: np.searchsorted(found.quotes, end)], found.ends[:1])[0])


def _widths(data: npt.NDArray[np.uint8], quotes: Positions, ends: Positions) -> Positions:
    """How many fields each record has; none where a bare carriage return would end it for some."""
    commas = np.flatnonzero(data == _COMMA)
    outside = commas[np.searchsorted(quotes, commas) % 2 == 0]
    widths = np.diff(np.searchsorted(outside, ends), prepend=0) + 1
    returns = np.flatnonzero(data == _RETURN)
    bare = returns[(np.searchsorted(quotes, returns) % 2 == 0) & ~np.isin(returns + 2, ends)]
    widths[np.searchsorted(ends, bare, side="right")] = 0
    return widths


def _first_damage(data: npt.NDArray[np.uint8], quotes: Positions) -> int | None:
    """The first quote inside a field that is no part of a pair; None where all is well."""
    opening, closing = quotes[0::2], quotes[1::2]
    if len(opening) and opening[0] == 0:
        opening = opening[1:]
    if len(closing) and closing[-1] == len(data) - 1:
        closing = closing[:-1]
    wrong_open = opening[_is_other(data[opening - 1], (_COMMA, _QUOTE, _NEWLINE))]
    wrong_close = closing[_is_other(data[closing + 1], (_COMMA, _QUOTE, _NEWLINE, _RETURN))]
    return min((int(wrong[0]) for wrong in (wrong_open, wrong_close) if len(wrong)), default=None)


def _is_other(marks: npt.NDArray[np.uint8], allowed: tuple[int, ...]) -> Positions:
    """The places of those that are none of the allowed, the most frequent of which is the first."""
    others = np.flatnonzero(marks != allowed[0])
    return others[~np.isin(marks[others], allowed[1:])]


def _joined(parts: list[Positions]) -> Positions:
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)
