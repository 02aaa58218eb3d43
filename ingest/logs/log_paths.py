"""Which files a place of logs means: a folder with a pattern, a glob, or one file."""

import glob
import os
import re
from pathlib import Path

from ingest.errors import LogsUnavailableError

# What a folder means where no pattern is given.
_SUFFIXES = ("csv", "json", "log")
_COMPRESSED = ("", ".gz", ".zst")
_PATTERNS = tuple(f"*.{suffix}{packed}" for suffix in _SUFFIXES for packed in _COMPRESSED)
_COMPRESSED_SUFFIX = re.compile(r"\.(gz|zst)$")
_FORMAT_SUFFIX = re.compile(r"\.(csv|json|log)(?=$|[.-])")
_MAGIC = re.compile(r"[*?\[]")
ADVICE = (
    "Name the server's log folder, as logs.directory or with --logs; if there is no log in it yet, run "
    "ALTER SYSTEM SET log_destination = 'csvlog' and SELECT pg_reload_conf() "
    "(logging_collector = on needs a restart)"
)
RIGHTS = "Give the user that runs pgattic the right to read it (log_file_mode = 0640 and the group do)"


def is_glob(where: Path) -> bool:
    """Whether a path that is no file or folder is a pattern of file names."""
    return not where.exists() and _MAGIC.search(str(where)) is not None


def watched_directory(where: Path) -> Path:
    """The folder whose changes are those of the logs."""
    if where.is_dir():
        return where
    folder = where.parent
    while _MAGIC.search(str(folder)) and not folder.exists():
        folder = folder.parent
    return folder


def found_paths(where: Path, pattern: str | None) -> list[Path]:
    """The files there now; raises LogsUnavailableError where there is no such place or it is closed to us."""
    if is_glob(where):
        return [path for path in map(Path, sorted(_matching(where))) if path.is_file()]
    try:
        if not where.exists():
            raise LogsUnavailableError("no such file or folder", where=str(where), todo=ADVICE)
        if not where.is_dir():
            return [where]
        # glob() would take a folder without read permission for an empty one.
        with os.scandir(where) as entries:
            any(True for _ in entries)
        found = {path for each in ([pattern] if pattern else _PATTERNS) for path in where.glob(each)}
        return sorted(path for path in found if path.is_file())
    except OSError as error:
        raise unreadable(where, error) from error


def _matching(where: Path) -> list[str]:
    # Path.glob needs to know where the pattern begins; this one takes it whole.
    return glob.glob(str(where), recursive=True)  # noqa: PTH207


def base_name(path: Path) -> str:
    """What the files of one server and time have in common, whatever their format and compression."""
    return _FORMAT_SUFFIX.sub("", _COMPRESSED_SUFFIX.sub("", path.name), count=1)


def unreadable(path: Path, error: OSError) -> LogsUnavailableError:
    """The error of a place that may not be read."""
    return LogsUnavailableError(
        f"cannot be read: {error.strerror}",
        where=str(path),
        todo=RIGHTS,
    )
