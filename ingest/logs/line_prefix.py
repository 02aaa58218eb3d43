"""`log_line_prefix` as a pattern: what stands before the text of each line of a stderr log."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Self

from ingest.logs.log_times import CLOCK, MOMENT, ZONE
from ingest.logs.severities import words

# What each escape of log_line_prefix writes. A process that is no session leaves most of them empty.
# Names have up to 63 bytes; without a bound a long line could take for ever.
_ANY, _WORD, _NUMBER = rb"[^\n]{0,96}?", rb"[^\s]{0,256}?", rb"-?\d*"
_ESCAPES = {
    "a": _ANY, "u": _ANY, "d": _ANY, "r": _WORD, "h": _WORD, "L": _WORD, "b": _ANY, "i": _ANY, "p": rb"\d+",
    "P": _NUMBER, "l": _NUMBER, "x": _NUMBER, "Q": _NUMBER, "v": rb"(?:-?\d+/\d+)?", "e": rb"[0-9A-Z]{5}",
    "m": MOMENT, "t": CLOCK + b" " + ZONE, "s": CLOCK + b" " + ZONE, "n": rb"\d{9,11}\.\d{3}",
    "c": rb"[0-9a-f]{1,16}\.[0-9a-f]{1,8}",
}  # fmt: skip
_TIMES = "mnt"
_ESCAPE = re.compile(r"%(?P<left>-?)(?P<padding>\d*)(?P<letter>[A-Za-z%])")
_UNKNOWN_WORD = rb"(?P<word>[^\s:][^:\n]{0,40}:  )"

# Of distributions, managed services and the manuals of log analysers; also PostgreSQL's own default.
COMMON = (
    "%m [%p] ",
    "%m [%p] %q%u@%d ",
    "%m [%p] %q%u@%d/%a ",
    "%m [%p] %q[user=%u,db=%d,app=%a] ",
    "%m [%p] %q[user=%u,db=%d,app=%a,client=%h] ",
    "%m [%p]: [%l-1] db=%d,user=%u ",
    "%m [%p]: user=%u,db=%d,app=%a,client=%h ",
    "%t [%p]: user=%u,db=%d,app=%a,client=%h ",
    "%t [%p]: db=%d,user=%u,app=%a,client=%h ",
    "%t [%p]: [%l-1] user=%u,db=%d ",
    "%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ",
    "%t [%p]: [%l-1] db=%d,user=%u,app=%a,client=%h ",
    "%t [%p]: [%l-1] %c %x %d %u %a %h ",
    "%t [%p-%l] %q%u@%d ",
    "%t:%r:%u@%d:[%p]:",
    "%m:%r:%u@%d:[%p]:%l:%e:%s:%v:%x:%c:%q%a:",
    "%m:%r:%u@%d:[%p]:%l:%e:%s:%v:%x:%c:%q%a",
    "%t-%c-",
    "%t ",
    "< %m >",
)


@dataclass(frozen=True)
class LinePrefix:
    """One log_line_prefix, as `pattern`; its groups are the `letters`. `time` is the letter of its time."""

    text: str
    pattern: bytes
    letters: tuple[str, ...]
    time: str

    # Compiled when they are needed: all the words of all languages in each of the common prefixes take a
    # third of a second, and the first alert would wait for it.
    @cached_property
    def line(self) -> re.Pattern[bytes]:
        """Matches a line up to its text; what tells its severity or label is the group `word`."""
        return self.before(words().meaning)

    @cached_property
    def guess(self) -> re.Pattern[bytes]:
        """Matches a line whose severity or label is none that we know."""
        return re.compile(self.pattern + _UNKNOWN_WORD)

    def before(self, known: Iterable[bytes]) -> re.Pattern[bytes]:
        """Matches a line up to its text, where one of some words stands before that."""
        return re.compile(self.pattern + b"(?P<word>" + b"|".join(map(re.escape, known)) + b")")


@cache
def line_prefix(text: str) -> LinePrefix | None:
    """Read a log_line_prefix; None where its lines would have no time."""
    pattern, letters = _pattern(text)
    times = [letter for letter in _TIMES if letter in letters]
    return LinePrefix(text, pattern, tuple(letters), times[0]) if times else None


def _pattern(text: str) -> tuple[bytes, list[str]]:
    parts: list[bytes] = []
    letters: list[str] = []
    at = 0
    is_optional = False
    for found in _ESCAPE.finditer(text):
        parts.append(re.escape(text[at : found.start()].encode()))
        at = found.end()
        letter = found["letter"]
        if letter == "%":
            parts.append(b"%")
        elif letter == "q":
            # Processes that are no session stop here.
            parts.append(b"(?:")
            is_optional = True
            continue
        elif letter in _ESCAPES:
            value = _ESCAPES[letter]
            if letter not in letters:
                value = b"(?P<" + letter.encode() + b">" + value + b")"
                letters.append(letter)
            parts.append(_padded(value, found["padding"], is_left=bool(found["left"])))
    parts.append(re.escape(text[at:].encode()))
    return b"".join(parts) + (b")?" if is_optional else b""), letters


def _padded(value: bytes, padding: str, *, is_left: bool) -> bytes:
    if not padding:
        return value
    return value + b" *" if is_left else b" *" + value


def prefixes_of(lines: Iterable[bytes], given: str | None) -> tuple[LinePrefix, ...]:
    """The prefixes to try on a log with these lines, the most likely first; none where none fits any.

    The given one, if it fits a line. Else the one that fits most lines, of several the one that finds most in
    them, and then the shortest: what is not in the prefix is not known, and could be anything.
    """
    sample = _Sample.of(lines)
    fits = [sample.fit(each) for each in map(line_prefix, COMMON) if each is not None]
    ranked = sorted(fits, key=lambda fit: (-fit.lines, -fit.values, len(fit.prefix.letters)))
    own = line_prefix(given) if given is not None else None
    if own is not None and sample.fit(own).lines:
        return (own, *(fit.prefix for fit in ranked if fit.prefix.text != given))
    return tuple(fit.prefix for fit in ranked) if ranked[0].lines else ()


@dataclass(frozen=True, slots=True)
class _Fit:
    """How many lines have a prefix, and how many values it tells of them."""

    prefix: LinePrefix
    lines: int
    values: int


@dataclass(frozen=True, slots=True)
class _Sample:
    """Lines of a log, and the words in them that may stand before a line's text."""

    lines: tuple[bytes, ...]
    words: tuple[bytes, ...]

    @classmethod
    def of(cls, lines: Iterable[bytes]) -> Self:
        sample = tuple(lines)
        text = b"\n".join(sample)
        return cls(sample, tuple(word for word in words().meaning if word in text))

    def fit(self, prefix: LinePrefix) -> _Fit:
        if not self.words:
            return _Fit(prefix, 0, 0)
        line = prefix.before(self.words)
        found = [match for match in map(line.match, self.lines) if match]
        return _Fit(prefix, len(found), sum(group is not None for match in found for group in match.groups()))
