"""The log files of a server: which is which after a rename, in what format, and their bytes.

A file is known by its first record, not by its name: rotation may rename or compress it, `copytruncate` may
empty it. The size is the truth; whoever noticed that a file changed only gave a hint.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from ingest.errors import LogsUnavailableError
from ingest.logs.bound import Bound, NoFormat
from ingest.logs.contents import (
    CompressedContent,
    Content,
    Identity,
    PlainContent,
    StreamContent,
    is_compressed,
)
from ingest.logs.formats import RANKS
from ingest.logs.identity import CHUNK_BYTES, CLOSED, PREFIX_UNKNOWN, Found, found_closed, found_in
from ingest.logs.log_paths import ADVICE, RIGHTS, base_name, found_paths, unreadable, watched_directory

STANDARD_INPUT = "-"
# The server writes a record at once: after so long without a change the last one is complete.
_QUIET_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class LogFile:
    """One log file; `origin` stays the same through renames, `began` sorts files by their first record."""

    path: Path
    origin: str
    began: str
    modified_at: float
    format: Bound
    content: Content

    @property
    def size(self) -> int | None:
        """Uncompressed bytes known to be there; None where its end was not read yet."""
        return self.content.size

    @property
    def is_compressed(self) -> bool:
        """Whether the file is compressed: to read it from a position means to read it up to there."""
        return is_compressed(self.path)


@dataclass(frozen=True, slots=True)
class _Look:
    """What was found in a file of some size and time; None while its first line is not complete."""

    state: tuple[int, float, int]
    found: Found | None


# By device, inode, and the log_line_prefix that was known.
_Looks = dict[tuple[int, int, str | None], _Look]


class Logs:
    """The log files of one server node: a folder (with a pattern), a glob, one file or standard input ("-").

    Without a pattern a folder means csvlog, jsonlog and stderr logs, plain or compressed. `line_prefix` is
    the server's log_line_prefix; it may be set when it becomes known, and None tries those in common use.
    """

    def __init__(
        self,
        where: Path | str | None,
        pattern: str | None,
        node: str,
        *,
        line_prefix: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if where is None:
            raise LogsUnavailableError(
                "key 'logs.directory' is not set", where="the configuration", todo=ADVICE
            )
        self.line_prefix = line_prefix
        self._where = Path(where)
        self._pattern = pattern
        self._node = node
        self._clock = clock
        self._looks: _Looks = {}
        self._looks_before: _Looks = {}
        self._stream: LogFile | None = None
        self._stream_content: StreamContent | None = None

    def anew(self) -> "Logs":
        """The same place, not looked at yet: what another process can be given."""
        return Logs(self._where, self._pattern, self._node, line_prefix=self.line_prefix)

    @property
    def is_stream(self) -> bool:
        """Whether the logs come through a pipe, so that nothing can be read twice."""
        return self._is_stream()

    @property
    def directory(self) -> Path | None:
        """The folder to watch for changes; None for standard input."""
        return None if self._is_stream() else watched_directory(self._where)

    def check(self) -> None:
        """Raise LogsUnavailableError where there is nothing to read and there never will be."""
        if not self._is_stream() and not found_paths(self._where, self._pattern):
            what = f"no log ({self._pattern}) in it" if self._pattern else "no log in it"
            raise LogsUnavailableError(what, where=str(self._where), todo=ADVICE)

    def files(self) -> list[LogFile]:
        """The files with a record, oldest first; of several with the same content one, the longest.

        Of a server that writes each record in several formats, the richest. A file that is no log, or may not
        be read, is there too and reads as one reject; raises LogsUnavailableError where none can be read.
        """
        if self._is_stream():
            return self._stream_files()
        paths = found_paths(self._where, self._pattern)
        found: dict[str, LogFile] = {}
        looks: _Looks = {}
        for path in paths:
            file = self._looked_at(path, looks)
            if file and (file.origin not in found or _length(file) > _length(found[file.origin])):
                found[file.origin] = file
        # Rotation goes on for years, so what is gone is forgotten; not at once, as it may have been renamed.
        self._looks, self._looks_before = looks, self._looks
        self._refuse(found.values())
        return sorted(_richest(found.values()), key=lambda file: (file.began, str(file.path)))

    def newest_format(self) -> str | None:
        """The format of the newest file; None where none can be read."""
        try:
            files = [] if self._is_stream() else self.files()
        except LogsUnavailableError:
            return None
        return files[-1].format.name if files else None

    def _is_stream(self) -> bool:
        return str(self._where) == STANDARD_INPUT or self._where.is_fifo()

    def _stream_files(self) -> list[LogFile]:
        """The stream, when its first record has come; an empty one is no file."""
        if self._stream is not None:
            return [self._stream]
        if self._stream_content is None:
            is_standard = str(self._where) == STANDARD_INPUT
            descriptor = sys.stdin.fileno() if is_standard else os.open(self._where, os.O_RDONLY)
            self._stream_content = StreamContent(descriptor)
        content = self._stream_content
        found = found_in(content, self._node, self.line_prefix, limit=CHUNK_BYTES)
        content.ask_anew()
        if found is None:
            return []
        bound = Bound(found.format, content, is_closed=True, is_quiet=False)
        self._stream = LogFile(self._where, found.origin, found.began, self._clock(), bound, content)
        self._refuse([self._stream])
        return [self._stream]

    def _refuse(self, files: Iterable[LogFile]) -> None:
        """Raise LogsUnavailableError where there are files, but none that we can read."""
        refusals = [file.format.format for file in files]
        if not refusals or not all(isinstance(each, NoFormat) for each in refusals):
            return
        reasons = {each.reason for each in refusals if isinstance(each, NoFormat)}
        if PREFIX_UNKNOWN in reasons:
            todo = "Set logs.line_prefix to what SHOW log_line_prefix says on the server of these logs"
            raise LogsUnavailableError(PREFIX_UNKNOWN, where=str(self._where), todo=todo)
        closed = [reason for reason in reasons if reason.startswith(CLOSED)]
        if closed or self._is_stream() or self._where.is_file():
            raise LogsUnavailableError(
                (closed or sorted(reasons))[0], where=str(self._where), todo=RIGHTS if closed else ADVICE
            )

    def _looked_at(self, path: Path, looks: _Looks) -> LogFile | None:
        """The file as it is now; what was found at the last look is kept, in `looks`, if nothing changed."""
        try:
            status = path.stat()
            key = status.st_dev, status.st_ino, self.line_prefix
            look = self._looks.get(key) or self._looks_before.get(key)
            state = status.st_size, status.st_mtime, status.st_mode
            if look is None or look.state != state:
                look = _Look(state, self._look(path, status, look.found if look else None))
            looks[key] = look
        except FileNotFoundError:
            # Removed between the listing and now.
            return None
        except OSError as error:
            raise unreadable(path, error) from error
        found = look.found
        if found is None:
            return None
        content = found.content
        if isinstance(content, PlainContent):
            content = replace(content, path=path)
        elif isinstance(content, CompressedContent):
            content.path = path
        is_quiet = self._clock() - status.st_mtime >= _QUIET_SECONDS
        bound = Bound(found.format, content, is_closed=is_compressed(path), is_quiet=is_quiet)
        return LogFile(path, found.origin, found.began, status.st_mtime, bound, content)

    def _look(self, path: Path, status: os.stat_result, before: Found | None) -> Found | None:
        content: Content
        if is_compressed(path):
            content = CompressedContent(path)
        else:
            content = PlainContent(path, Identity(status.st_dev, status.st_ino), status.st_size)
            if before and before.telling[1] and isinstance(before.content, PlainContent):
                # Emptied and written anew it would be another file.
                at, telling = before.telling
                if content.read(at, len(telling)) == telling:
                    return before.of(content)
        try:
            return found_in(content, self._node, self.line_prefix)
        except PermissionError as error:
            return found_closed(path, self._node, error, status.st_mtime)
        finally:
            if isinstance(content, CompressedContent):
                # Nearly all of them were read long ago, and there may be more than a process can have open.
                content.rest()


def read_bytes(file: LogFile, start: int, length: int) -> bytes:
    """Up to `length` uncompressed bytes of a file from a position; raises LogsUnavailableError.

    b"" at its end, and where another file has taken its place: the next look tells where it is now.
    """
    try:
        return file.content.read(start, length)
    except OSError as error:
        raise unreadable(file.path, error) from error


def _length(file: LogFile) -> int:
    # A compressed copy is the last to be chosen: it is complete only when the plain file is gone.
    return -1 if file.is_compressed or file.size is None else file.size


def _richest(files: Iterable[LogFile]) -> list[LogFile]:
    """Without those that tell again, in a poorer format, what another file of the same base name tells."""
    found = list(files)
    best: dict[tuple[Path, str], int] = {}
    for file in found:
        if file.format.name in RANKS:
            key = file.path.parent, base_name(file.path)
            best[key] = min(best.get(key, len(RANKS)), RANKS.index(file.format.name))
    return [
        file
        for file in found
        if file.format.name not in RANKS
        or RANKS.index(file.format.name) == best[file.path.parent, base_name(file.path)]
    ]
