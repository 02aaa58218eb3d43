"""The formats of PostgreSQL's logs: what every reader of one can do."""

from typing import Protocol

from ingest.records import Reading


class Format(Protocol):
    """Reads one format; bytes go in, a Reading comes out, and nothing behind it knows the format."""

    @property
    def name(self) -> str:
        """As `log_destination` calls it: csvlog, jsonlog or stderr."""

    def first_record(self, buffer: bytes) -> bytes | None:
        """The bytes of the first complete record, or None where it is not complete yet."""

    def read(
        self, buffer: bytes, *, offset: int = 0, is_final: bool = False, log_timezone: str | None = None
    ) -> Reading:
        """Read the complete records of a stretch that begins at `offset` of its (uncompressed) file.

        `is_final` says that nothing will follow: an incomplete rest is then a reject.
        """

    def skip(self, buffer: bytes, *, offset: int = 0) -> Reading:
        """Set a record aside that is longer than the buffer, up to where another one seems to begin."""
