"""A format as it reads one file: it knows where the file ends, and what of it cannot be read."""

from dataclasses import dataclass

from ingest.logs.contents import Content
from ingest.logs.formats import Format
from ingest.logs.records import RECORD, Beginning, Reading, Reject


@dataclass(frozen=True, slots=True)
class Bound:
    """Adds to a format that what stands at the end of its file is complete, where that is known.

    `is_closed`: nothing can follow the known end (a compressed file, a stream that has ended).
    `is_quiet`: the file has not changed for a while, so a record that only the next one would end has ended.
    """

    format: Format
    content: Content
    is_closed: bool
    is_quiet: bool

    @property
    def name(self) -> str:
        """The format's own."""
        return self.format.name

    @property
    def is_told_by_next(self) -> bool:
        """The format's own."""
        return self.format.is_told_by_next

    def beginning(self, buffer: bytes) -> Beginning | None:
        """The format's own."""
        return self.format.beginning(buffer)

    def read(
        self, buffer: bytes, *, offset: int = 0, is_final: bool = False, log_timezone: str | None = None
    ) -> Reading:
        """Read a stretch; a damaged end is a reject of its own."""
        is_end = self.content.size is not None and offset + len(buffer) >= self.content.size
        damage = self.content.damage if is_end else None
        is_whole = self.is_quiet and self.format.is_told_by_next and buffer.endswith(b"\n")
        reading = self.format.read(
            buffer[:-1] if damage else buffer,
            offset=offset,
            is_final=is_final or (is_end and (self.is_closed or is_whole)),
            log_timezone=log_timezone,
        )
        if not damage:
            return reading
        rejects = (*reading.rejects, Reject(offset + len(buffer) - 1, 1, damage))
        return Reading(reading.records, rejects, len(buffer))

    def skip(self, buffer: bytes, *, offset: int = 0) -> Reading:
        """The format's own."""
        return self.format.skip(buffer, offset=offset)


@dataclass(frozen=True, slots=True)
class NoFormat:
    """Reads a file that is no log, or may not be read, as one reject; its position then is behind it."""

    reason: str
    length: int
    name: str = "none"
    is_told_by_next: bool = False

    def beginning(self, buffer: bytes) -> Beginning | None:
        """There is none."""

    def read(
        self,
        buffer: bytes,
        *,
        offset: int = 0,
        is_final: bool = False,  # noqa: ARG002 (as the formats have it)
        log_timezone: str | None = None,  # noqa: ARG002
    ) -> Reading:
        """The one reject, at the beginning of the file."""
        return self.skip(buffer, offset=offset)

    def skip(self, buffer: bytes, *, offset: int = 0) -> Reading:
        """The one reject."""
        rejects = () if offset else (Reject(0, self.length, self.reason),)
        return Reading(RECORD.empty_table(), rejects, len(buffer))
