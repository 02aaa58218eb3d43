"""What a log file is, whatever its name: its format, and the first record that tells it from others."""

import hashlib
import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from ingest.logs.bound import NoFormat
from ingest.logs.contents import Content, Identity, NoContent, PlainContent
from ingest.logs.formats import Format, Recognised, is_prefix_unknown, recognise

CHUNK_BYTES = 1024 * 1024
PREFIX_UNKNOWN = "log_line_prefix not known or without a time (set logs.line_prefix)"
CLOSED = "cannot be read"
# A file in which no record begins for so long is no log.
_SEARCHED_BYTES = 64 * 1024 * 1024
# The line that tells a file from others is cut here; a longer one would not tell more.
_TELLING_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Found:
    """What a file is; `telling` is its first record's first line and where that stands."""

    origin: str
    began: str
    format: Format
    content: Content
    telling: tuple[int, bytes] = (0, b"")

    def of(self, content: Content) -> Self:
        """The same, with its bytes as they are now."""
        if isinstance(content, PlainContent):
            known = content.identity
            content = replace(content, identity=Identity(known.device, known.inode, *self.telling))
        return replace(self, content=content)


def found_in(
    content: Content, node: str, line_prefix: str | None, *, limit: int = _SEARCHED_BYTES
) -> Found | None:
    """What a content is; None where not even its first line is complete. Raises OSError."""
    begin = 0
    has_line = False
    while begin < limit:
        chunk = content.read(begin, CHUNK_BYTES)
        recognised = recognise(chunk, line_prefix)
        if recognised is not None:
            return _recognised(content, node, begin, chunk, recognised)
        last_line = chunk.rfind(b"\n") + 1
        has_line = has_line or last_line > 0 or len(chunk) >= _TELLING_BYTES
        if len(chunk) < CHUNK_BYTES:
            break
        begin += last_line or len(chunk)
    if not has_line:
        return None
    beginning = content.read(0, CHUNK_BYTES)
    reason = PREFIX_UNKNOWN if is_prefix_unknown(beginning) else "no PostgreSQL log"
    # Of another origin than a log: when it turns out to be one it is read from its beginning.
    origin = _origin(node, b"no log\0" + beginning[:_TELLING_BYTES].partition(b"\n")[0])
    return Found(origin, "", NoFormat(reason, content.size or 1), NoContent(1))


def found_closed(path: Path, node: str, error: PermissionError, modified_at: float) -> Found:
    """A file that may not be read: sorted by its age, so that no other is taken for the newest."""
    began = f"{datetime.fromtimestamp(modified_at, UTC):%Y-%m-%d %H:%M:%S}"
    origin = _origin(node, b"closed\0" + os.fsencode(path))
    return Found(origin, began, NoFormat(f"{CLOSED}: {error.strerror}", 1), NoContent(None))


def _recognised(content: Content, node: str, begin: int, chunk: bytes, found: Recognised) -> Found | None:
    start = found.beginning.start
    if b"\n" not in chunk[start:] and len(chunk) < start + _TELLING_BYTES:
        # Read from the same place: what a stream has given is not given again before it.
        chunk = content.read(begin, start + _TELLING_BYTES)
    telling = chunk[start : start + _TELLING_BYTES]
    end = telling.find(b"\n") + 1
    if not end and len(telling) < _TELLING_BYTES:
        return None
    telling = telling[:end] if end else telling
    at = begin + start, telling
    return Found(_origin(node, telling), found.beginning.moment, found.format, content, at).of(content)


def _origin(node: str, telling: bytes) -> str:
    return hashlib.sha256(node.encode() + b"\0" + telling).hexdigest()[:32]
