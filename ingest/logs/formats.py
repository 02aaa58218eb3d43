"""The formats of PostgreSQL's logs: what every reader of one can do, and which one a file is in."""

import re
from dataclasses import dataclass
from typing import Protocol

from ingest.logs.csvlog import CSVLOG
from ingest.logs.jsonlog import JSONLOG
from ingest.logs.line_prefix import prefixes_of
from ingest.logs.records import Beginning, Reading
from ingest.logs.severities import words
from ingest.logs.stderrlog import Stderrlog

# Enough to tell which prefix a log has.
_SAMPLE_BYTES = 256 * 1024
_SAMPLE_LINES = 1000
_SEVERE = re.compile(b"|".join(re.escape(word) for word in words().meaning))


class Format(Protocol):
    """Reads one format; bytes go in, a Reading comes out, and nothing behind it knows the format."""

    @property
    def name(self) -> str:
        """As `log_destination` calls it: csvlog, jsonlog or stderr."""

    @property
    def is_told_by_next(self) -> bool:
        """Whether only the next record shows that one is complete."""

    def beginning(self, buffer: bytes) -> Beginning | None:
        """Where the first record begins, or None where there is none in the buffer."""

    def read(
        self, buffer: bytes, *, offset: int = 0, is_final: bool = False, log_timezone: str | None = None
    ) -> Reading:
        """Read the complete records of a stretch that begins at `offset` of its (uncompressed) file.

        `is_final` says that nothing will follow: an incomplete rest is then a reject.
        """

    def skip(self, buffer: bytes, *, offset: int = 0) -> Reading:
        """Set a record aside that is longer than the buffer, up to where another one seems to begin."""


# The richest first: where a server writes the same records in several formats, that one is read.
RANKS = ("csvlog", "jsonlog", "stderr")


@dataclass(frozen=True, slots=True)
class Recognised:
    """A format and where the first record of it begins."""

    format: Format
    beginning: Beginning


def recognise(buffer: bytes, line_prefix: str | None) -> Recognised | None:
    """The format of a stretch of a file that begins with a line; None where no record of any is in it.

    `line_prefix` is the server's log_line_prefix, or None to try those that are in common use.
    """
    formats: list[Format] = [CSVLOG, JSONLOG]
    for each in formats:
        beginning = each.beginning(buffer)
        # Nothing can begin earlier; to prepare for all prefixes takes most of a second.
        if beginning is not None and beginning.start == 0:
            return Recognised(each, beginning)
    lines = [line for line in buffer[:_SAMPLE_BYTES].split(b"\n") if line and not line.startswith(b"\t")]
    if prefixes := prefixes_of(lines[:_SAMPLE_LINES], line_prefix):
        formats.append(Stderrlog(prefixes))
    found = ((each, each.beginning(buffer)) for each in formats)
    begun = [Recognised(each, beginning) for each, beginning in found if beginning is not None]
    return min(begun, key=lambda each: each.beginning.start, default=None)


def is_prefix_unknown(buffer: bytes) -> bool:
    """Whether a stretch without a record looks like a stderr log whose log_line_prefix we do not know."""
    return _SEVERE.search(buffer[:_SAMPLE_BYTES]) is not None
