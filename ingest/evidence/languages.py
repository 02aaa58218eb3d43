"""What the lines of PostgreSQL's log are about, in every language that the server speaks.

Only the server's own words can tell a statement from any other line of severity LOG. They stand in
`languages.toml`, as PostgreSQL's message catalogs have them. A line is held against all languages: roles and
databases can have their own `lc_messages`.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path


class MessageKind(StrEnum):
    """What a record says about its statement."""

    STATEMENT = "statement"  # will be parsed and run now
    EXECUTE = "execute"  # was parsed, runs now
    PREPARE = "prepare"  # was parsed or bound; an execute may follow
    DURATION = "duration"  # has succeeded
    ERROR = "error"  # has failed
    AUDIT = "audit"  # pgaudit's line
    PLAN = "plan"  # auto_explain's line
    SENSOR = "sensor"  # a line of pgattic's own sensors
    OTHER = "other"  # is no statement


SENSOR_PREFIX = "pgattic sensor: "
AUDIT_PREFIX = "AUDIT: "
# Some release from 12 on speaks these, and we have no catalog of them.
_UNKNOWN_LANGUAGES = frozenset({"id", "tr", "zh_TW"})
# A database that is not in UTF-8 gets its messages in its own encoding. Read as UTF-8, each of them is always
# the same row of replacement characters, so it can still be told.
_WESTERN = ("iso8859_1", "iso8859_15", "cp1252")
_ENCODINGS = {
    **dict.fromkeys(("de", "es", "fr", "it", "pt_BR", "sv"), _WESTERN),
    "ja": ("euc_jp",),
    "ko": ("euc_kr",),
    "pl": ("iso8859_2", "cp1250"),
    "ru": ("cp1251", "koi8_r", "iso8859_5"),
    "uk": ("cp1251", "koi8_u", "iso8859_5"),
    "zh_CN": ("gb2312",),
}

_CONVERSION = re.compile(r"%(?:\d+\$)?[-+ #0-9.*]*(?:ll|[hlz])?([a-zA-Z%])")
_FIGURE = r"[0-9A-F.]+"
_DURATION = r"[0-9.]+"
# A prepared statement and, after a slash, a portal: names of 63 bytes each, or <unnamed>.
_NAME = r"[^\n]{1,130}?"
# The client library reads large objects so; any other function that is called so may be a user's.
_LARGE_OBJECTS = (
    r"lo_?(?:creat|create|open|read|write|lseek|lseek64|tell|tell64|truncate|truncate64|close|unlink)"
)
_PLAN = re.compile(rf"duration: {_DURATION} ms  plan:\n")


def line_kind(text: str, *, sql: str = "", context: str = "") -> tuple[MessageKind, int] | None:
    """What a line of severity LOG is about and where its statement begins, or None where nobody knows.

    `sql` and `context` are the record's. The server's own lines about statements have neither, so a line that
    has one was written from within a statement, by RAISE LOG perhaps: whatever it says, it is no statement.
    Of pgaudit's line and of a plan the place is where they begin, of a line without a statement its end.
    """
    if sql or context:
        return _within(text, sql)
    for prefix, kind in ((SENSOR_PREFIX, MessageKind.SENSOR), (AUDIT_PREFIX, MessageKind.AUDIT)):
        if text.startswith(prefix):
            return kind, len(prefix)
    for pattern in _STATEMENT_LINES:
        line = _compiled(pattern).match(text)
        if line:
            return _KINDS[str(line.lastgroup)], line.end()
    is_other = any(pattern.match(text) for pattern in _other_lines())
    return (MessageKind.OTHER, len(text)) if is_other else None


def _within(text: str, sql: str) -> tuple[MessageKind, int]:
    """A line that a statement wrote while it ran."""
    if text.startswith(SENSOR_PREFIX):
        return MessageKind.SENSOR, len(SENSOR_PREFIX)
    # auto_explain hides the statement, not the function that it ran in.
    plan = None if sql else _PLAN.match(text)
    return (MessageKind.PLAN, plan.end()) if plan else (MessageKind.OTHER, len(text))


def prepared_statement(detail: str) -> str | None:
    """The PREPARE that the detail of a line about EXECUTE tells, or None."""
    found = _PREPARED.match(detail)
    return detail[found.end() :] if found else None


def is_reload(text: str) -> bool:
    """Whether a line, read as UTF-8, tells that the server reads its configuration anew."""
    return text in _RELOADS


def is_known(lc_messages: str) -> bool:
    """Whether a server with this setting writes what `line_kind` knows; it speaks English where it must."""
    locale = lc_messages.partition(".")[0].partition("@")[0]
    return locale not in _UNKNOWN_LANGUAGES and locale.partition("_")[0] not in _UNKNOWN_LANGUAGES


@dataclass(frozen=True)
class _Language:
    """A language's formats of lines about statements, and of those about anything else."""

    formats: dict[str, str]
    other: tuple[str, ...]

    def misread(self, encoding: str) -> "_Language":
        """The language in another encoding, as it looks when read as UTF-8."""

        def read(text: str) -> str:
            return text.encode(encoding, errors="replace").decode(errors="replace")

        return _Language(
            {key: read(text) for key, text in self.formats.items()}, tuple(map(read, self.other))
        )


def _languages() -> Iterator[_Language]:
    """Every language, English first; what one of them does not translate is English there too."""
    catalogs = tomllib.loads(Path(__file__).with_name("languages.toml").read_text(encoding="utf-8"))
    english: dict[str, str] = {}
    for name, catalog in catalogs.items():
        other = catalog.pop("other")
        language = _Language({**english, **catalog}, tuple(other))
        english = english or language.formats
        yield language
        yield from (language.misread(encoding) for encoding in _ENCODINGS.get(name, ()))


def _pattern(template: str, texts: Iterable[str] = ()) -> str:
    """A format as a regular expression: its conversions stand for `texts` in turn, then for anything."""
    waiting = iter(texts)
    parts: list[str] = []
    end = 0
    for conversion in _CONVERSION.finditer(template):
        parts.append(re.escape(template[end : conversion.start()]))
        anything = ".*?" if conversion[1] in "sm" else _FIGURE
        parts.append("%" if conversion[1] == "%" else next(waiting, anything))
        end = conversion.end()
    return "".join([*parts, re.escape(template[end:])])


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """A pattern of one language, English first: few logs need them all."""
    return re.compile(pattern, re.DOTALL)


@cache
def _other_lines() -> tuple[re.Pattern[str], ...]:
    """Lines about anything else; there are many, and not every log has one that needs them."""
    found = dict.fromkeys(
        pattern
        for each in _LANGUAGES
        for pattern in (
            _pattern(each.formats["duration"], (_DURATION,)) + r"\Z",
            _pattern(each.formats["fastpath"], (_LARGE_OBJECTS,)),
            _pattern(each.formats["duration_fastpath"], (_DURATION, _LARGE_OBJECTS)),
            *map(_pattern, each.other),
        )
    )
    return tuple(re.compile(text, re.DOTALL) for text in found)


def _statement_line(formats: dict[str, str]) -> str:
    """The beginnings of lines about statements in one language, up to the statement itself."""
    words = f"(?:{re.escape(formats['fetch'])}|{re.escape(formats['execute'])})"
    named = (_NAME, "", "", "")
    return rf"(?P<plan>{_PLAN.pattern})|" + "|".join(
        f"(?P<{group}>{_pattern(formats[key], texts)})"
        for group, key, texts in (
            ("duration", "duration_statement", (_DURATION, "")),
            ("ran", "duration_run", (_DURATION, words, *named)),
            ("parse", "duration_parse", (_DURATION, _NAME, "")),
            ("bind", "duration_bind", (_DURATION, *named)),
            ("statement", "statement", ("",)),
            ("execute", "run", (words, *named)),
        )
    )


_KINDS = {
    "plan": MessageKind.PLAN,
    "statement": MessageKind.STATEMENT,
    "execute": MessageKind.EXECUTE,
    "duration": MessageKind.DURATION,
    "ran": MessageKind.DURATION,
    "parse": MessageKind.PREPARE,
    "bind": MessageKind.PREPARE,
}
_LANGUAGES = tuple(_languages())
_STATEMENT_LINES = tuple(dict.fromkeys(_statement_line(each.formats) for each in _LANGUAGES))
_RELOADS = frozenset(each.formats["reload"] for each in _LANGUAGES)
_PREPARED = re.compile(
    "|".join(dict.fromkeys(_pattern(each.formats["prepare"], ("",)) for each in _LANGUAGES))
)
