"""The words that stderr logs are made of, in every language that the server speaks."""

import re
import tomllib
from dataclasses import dataclass
from enum import Enum, StrEnum
from functools import cache
from pathlib import Path

from ingest.logs.records import UNKNOWN_STATE

_FILE = Path(__file__).with_suffix(".toml")
# A database that is not in UTF-8 gets its messages in its own encoding.
_ENCODINGS = (
    "utf-8", "iso8859_1", "iso8859_5", "koi8_r", "koi8_u", "cp1251", "euc_jp", "euc_kr", "gb2312",
)  # fmt: skip


class Severity(Enum):
    """How bad a message is; the value is its SQLSTATE, as far as that can be told from it."""

    SUCCESS = b"00000"
    WARNING = b"01000"
    ERROR = UNKNOWN_STATE


class Section(StrEnum):
    """What a line adds to the message before; the names are those of the file."""

    DETAIL = "detail"
    HINT = "hint"
    QUERY = "query"
    CONTEXT = "context"
    LOCATION = "location"
    BACKTRACE = "backtrace"
    STATEMENT = "statement"


# As the file has them: DEBUG, LOG, INFO, NOTICE, WARNING, ERROR, FATAL, PANIC.
_SEVERITIES = (*[Severity.SUCCESS] * 4, Severity.WARNING, *[Severity.ERROR] * 3)
_AFTER_SEVERITY = ":  "


@dataclass(frozen=True, slots=True)
class Words:
    """What may follow the prefix of a line, up to its text, and the ends of messages that tell a position."""

    meaning: dict[bytes, Severity | Section]
    position: re.Pattern[bytes]


@cache
def words() -> Words:
    """The words of all languages, English first."""
    meaning: dict[bytes, Severity | Section] = {}
    positions: dict[bytes, None] = {}
    for language in tomllib.loads(_FILE.read_text(encoding="utf-8")).values():
        for word, severity in zip(language["severities"], _SEVERITIES, strict=True):
            for form in _encoded(word + _AFTER_SEVERITY):
                # Georgian has one word for NOTICE and WARNING, which are alike to us.
                meaning.setdefault(form, severity)
        for section in Section:
            for form in _encoded(language[section.value]):
                meaning.setdefault(form, section)
        positions |= dict.fromkeys(
            re.escape(form).replace(rb"%d", rb"(\d{1,9})") for form in _encoded(language["position"])
        )
    return Words(meaning, re.compile(b"(?:" + b"|".join(positions) + rb")\Z"))


def _encoded(text: str) -> list[bytes]:
    forms: dict[bytes, None] = {}
    for encoding in _ENCODINGS:
        try:
            forms[text.encode(encoding)] = None
        except UnicodeEncodeError:
            continue
    return list(forms)
