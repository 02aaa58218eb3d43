"""The bytes of a log file by position, whether it is plain, compressed or a stream that comes in.

Compressed files and streams can only be read forward: a window of what was read last is kept, so that a
record that was not complete can be asked for again.
"""

import os
import select
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import pyarrow as pa

_STEP_BYTES = 256 * 1024
# A stream that is silent for so long gives what it has; a busy one fills the batch.
_IDLE_SECONDS = 0.2
_CODECS: dict[str, Literal["gzip", "zstd"]] = {".gz": "gzip", ".zst": "zstd"}
# Stands for what cannot be read of a damaged file, so that its reject has a place of its own.
DAMAGE_BYTE = b"\0"


class Content(Protocol):
    """The uncompressed bytes of one log file."""

    @property
    def size(self) -> int | None:
        """How many there are; None where nobody knows before the end was read."""

    @property
    def damage(self) -> str | None:
        """Why the last byte is a DAMAGE_BYTE, not what the file should hold there; None if it is not."""

    def read(self, start: int, length: int) -> bytes:
        """Up to `length` bytes from a position, fewer only where no more are there yet; raises OSError."""


def is_compressed(path: Path) -> bool:
    """Whether a file's name says that it is compressed."""
    return path.suffix in _CODECS


@dataclass(frozen=True, slots=True)
class Identity:
    """The file that a name stood for and its telling bytes, so that another one is not taken for it."""

    device: int
    inode: int
    telling_at: int = 0
    telling: bytes = b""


@dataclass(frozen=True, slots=True)
class PlainContent:
    """A plain file as it was when it was looked at; b"" where another one has taken its place since."""

    path: Path
    identity: Identity
    size: int
    damage: None = None

    def read(self, start: int, length: int) -> bytes:
        """Read from the file if it still is the same one."""
        try:
            with self.path.open("rb") as opened:
                status = os.fstat(opened.fileno())
                if (status.st_dev, status.st_ino) != (self.identity.device, self.identity.inode):
                    return b""
                opened.seek(start)
                found = opened.read(length)
                # Emptied and written anew: looked at after reading, so what was read is from before that.
                opened.seek(self.identity.telling_at)
                is_same = opened.read(len(self.identity.telling)) == self.identity.telling
                return found if is_same else b""
        except FileNotFoundError:
            return b""


@dataclass(frozen=True, slots=True)
class NoContent:
    """One byte for a file that is no log or may not be read; `size` is 1, or None if a log may be in it."""

    size: int | None
    damage: None = None

    def read(self, start: int, length: int) -> bytes:
        """The one byte."""
        return DAMAGE_BYTE[start : start + length]


@dataclass
class _Window:
    """Bytes that were read forward; those before the last position asked for are forgotten."""

    begin: int = 0
    kept: bytearray = field(default_factory=bytearray)

    @property
    def end(self) -> int:
        return self.begin + len(self.kept)

    def forget_before(self, start: int) -> None:
        gone = min(max(start - self.begin, 0), len(self.kept))
        del self.kept[:gone]
        self.begin += gone

    def part(self, start: int, length: int) -> bytes:
        return bytes(self.kept[max(start - self.begin, 0) : max(start - self.begin, 0) + length])


class CompressedContent:
    """A .gz or .zst file; one that is still being written ends where it is cut, and can be read on later."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size: int | None = None
        self.damage: str | None = None
        self._window = _Window()
        self._stream: pa.CompressedInputStream | None = None
        self._step_bytes = _STEP_BYTES

    def read(self, start: int, length: int) -> bytes:
        """Read forward to the position; going back means to begin anew."""
        if self.size is not None and start >= self.size:
            return b""
        has_all = self.size == self._window.end
        if start < self._window.begin or (self._stream is None and not has_all):
            self._window = _Window()
            self._open()
        while self._stream is not None and self._window.end < start + length:
            self._window.forget_before(start)
            self._step(self._stream, start + length - self._window.end)
        self._window.forget_before(start)
        found = self._window.part(start, length)
        if start + len(found) == self.size:
            self._window = _Window()
        return found

    def rest(self) -> None:
        """Hold nothing open, and no bytes, until somebody reads on."""
        self._close()
        self._window = _Window()

    def _open(self) -> None:
        self._step_bytes = _STEP_BYTES
        try:
            source = pa.OSFile(str(self.path), "rb")
        except FileNotFoundError:
            return
        self._stream = pa.CompressedInputStream(source, _CODECS[self.path.suffix])

    def _close(self) -> None:
        if self._stream is not None:
            self._stream.close()
        self._stream = None

    def _step(self, stream: pa.CompressedInputStream, wanted: int) -> None:
        """Read some more into the window, or close the stream at its end."""
        try:
            found = stream.read(min(wanted, self._step_bytes))
        except OSError as error:
            self._close()
            self._failed(str(error))
            return
        self._window.kept += found
        if not found:
            self._close()
            # An empty file is one that is about to be written.
            self.size = self._window.end or None

    def _failed(self, reason: str) -> None:
        """Go up to the fault in smaller steps; there a file that is cut waits, and a damaged one ends."""
        if self._step_bytes > 1:
            step_bytes = self._step_bytes // 64
            self._open()
            self._skip(self._window.end)
            self._step_bytes = max(step_bytes, 1)
        elif "truncated" not in reason.lower():
            self.damage = f"compressed data damaged: {reason}"
            self._window.kept += DAMAGE_BYTE
            self.size = self._window.end

    def _skip(self, length: int) -> None:
        while self._stream is not None and length:
            length -= len(self._stream.read(min(length, _STEP_BYTES)))


class StreamContent:
    """Standard input or a pipe: what was read cannot be read again, but for the window."""

    damage: None = None

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._window = _Window()
        self._answered: tuple[int, int] | None = None
        self.size: int | None = None

    def ask_anew(self) -> None:
        """Let the next question have the same answer as the last one."""
        self._answered = None

    def read(self, start: int, length: int) -> bytes:
        """Take what comes without a pause; who asks again for the same waits until there is more."""
        known = self._window.end
        waits = known <= start or self._answered == (start, known)
        while self.size is None and self._window.end < start + length:
            self._window.forget_before(start)
            if not waits and not select.select([self._descriptor], [], [], _IDLE_SECONDS)[0]:
                break
            found = os.read(self._descriptor, _STEP_BYTES)
            self._window.kept += found
            waits = False
            if not found:
                self.size = self._window.end
        self._window.forget_before(start)
        self._answered = start, self._window.end
        return self._window.part(start, length)
