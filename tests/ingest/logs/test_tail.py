"""Log files of a server: found, recognised after a rename, refused with a reason."""

import gc
import gzip
import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import gettempdir

import pyarrow as pa
import pytest

from ingest.errors import LogsUnavailableError
from ingest.logs.identity import PREFIX_UNKNOWN
from ingest.logs.records import Reject
from ingest.logs.tail import LogFile, Logs, read_bytes
from tests.ingest.fix_ingest import NOON, record
from tests.ingest.fix_logs import Message, after, csv, error, jsonline, stderr


def later(minutes: int) -> bytes:
    """A record so many minutes after noon."""
    return record("x", at=NOON + timedelta(minutes=minutes))


def test_files_come_oldest_first_whatever_their_names(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_bytes(later(0))
    (tmp_path / "a.csv").write_bytes(later(5))
    (tmp_path / "c.csv").write_bytes(later(9))
    assert [file.path.name for file in Logs(tmp_path, "*.csv", "n").files()] == [
        "b.csv",
        "a.csv",
        "c.csv",
    ]


def test_a_renamed_file_is_the_same_and_a_copy_is_no_other(tmp_path: Path) -> None:
    folder = Logs(tmp_path, "*.csv*", "n")
    path = tmp_path / "a.csv"
    path.write_bytes(later(0))
    (before,) = folder.files()
    path.rename(tmp_path / "a.csv.1")
    (tmp_path / "copy.csv").write_bytes(later(0) + later(1))
    (after,) = folder.files()
    assert after.origin == before.origin
    assert after.path.name == "copy.csv"


def test_a_file_emptied_and_written_anew_is_another(tmp_path: Path) -> None:
    folder = Logs(tmp_path, "*.csv", "n")
    path = tmp_path / "a.csv"
    path.write_bytes(later(0) + later(1))
    (before,) = folder.files()
    path.write_bytes(later(2) + later(3))
    os.utime(path, (1, 1))
    (after,) = folder.files()
    assert after.size == before.size
    assert after.origin != before.origin


def test_the_same_record_of_another_node_is_another_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(later(0))
    origins = {Logs(tmp_path, "*.csv", node).files()[0].origin for node in ("primary", "replica")}
    assert len(origins) == 2


def test_a_file_without_a_complete_record_waits(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(later(0)[:-1])
    folder = Logs(tmp_path, "*.csv", "n")
    assert folder.files() == []
    path.write_bytes(later(0))
    assert len(folder.files()) == 1


def test_a_first_record_of_any_length_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(record("x" * 300_000) + later(1))
    assert len(Logs(tmp_path, "*.csv", "n").files()) == 1


def test_a_folder_that_is_none_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    for directory, what in (
        (None, "logs.directory' is not set"),
        (tmp_path / "absent", "no such file or folder"),
        (tmp_path / "*.nothing", "no log"),
        (tmp_path / "empty", r"no log \(\*\.csv\) in it"),
    ):
        with pytest.raises(LogsUnavailableError, match=what) as caught:
            Logs(directory, "*.csv", "n").check()
        assert "log_destination = 'csvlog'" in str(caught.value)
        assert caught.value.exit_code == 2


@contextmanager
def as_nobody(tmp_path: Path) -> Iterator[None]:
    """Root may read everything, so a test of rights asks as somebody else."""
    if os.geteuid() != 0:
        yield
        return
    for parent in (tmp_path, *tmp_path.parents):
        if Path(gettempdir()) in parent.parents:
            parent.chmod(0o755)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_folder_without_the_right_to_read_is_refused(tmp_path: Path) -> None:
    closed = tmp_path / "log"
    closed.mkdir()
    closed.chmod(0o000)
    with (
        as_nobody(tmp_path),
        pytest.raises(LogsUnavailableError, match="cannot be read: Permission denied"),
    ):
        Logs(closed, "*.csv", "n").check()


def test_a_file_without_the_right_to_read_is_a_reject_and_never_the_end_of_what_is_covered(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.csv").write_bytes(later(0))
    (tmp_path / "b.csv").write_bytes(later(1))
    (tmp_path / "b.csv").chmod(0o000)
    with as_nobody(tmp_path):
        readable, closed = Logs(tmp_path, "*.csv", "n").files()
        assert len(everything(readable)[0]) == 1
        assert everything(closed) == ([], [Reject(0, 1, "cannot be read: Permission denied")])
    assert closed.size is None
    (tmp_path / "b.csv").chmod(0o644)
    assert len(everything(Logs(tmp_path, "*.csv", "n").files()[1])[0]) == 1


def test_where_no_file_may_be_read_that_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(later(0))
    (tmp_path / "a.csv").chmod(0o000)
    with as_nobody(tmp_path), pytest.raises(LogsUnavailableError, match="Permission denied"):
        Logs(tmp_path, "*.csv", "n").files()


def everything(file: LogFile) -> tuple[list[str], list[Reject]]:
    """The messages and rejects of a file, read to its end in small batches."""
    messages: list[str] = []
    rejects: list[Reject] = []
    at, length = 0, 300
    while buffer := read_bytes(file, at, length):
        reading = file.format.read(buffer, offset=at)
        messages += [each.decode() for each in reading.records["message"].to_pylist() if each is not None]
        rejects += reading.rejects
        at += reading.length
        if not reading.length and len(buffer) < length:
            break
        length = 300 if reading.length else 2 * length
    return messages, rejects


MESSAGES = [Message(f"statement: select {number}", at=after(number)) for number in range(20)]
CSV = b"".join(map(csv, MESSAGES))
TEXTS = [each.text for each in MESSAGES]


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
@pytest.mark.parametrize(("name", "write"), [("csv", csv), ("json", jsonline), ("log", stderr)])
def test_every_format_is_recognised_and_read(tmp_path: Path, name: str, write: object, suffix: str) -> None:
    log = b"".join(write(each) for each in MESSAGES)  # type: ignore[operator]
    packed = {"": log, ".gz": gzip.compress(log), ".zst": pa.compress(log, codec="zstd", asbytes=True)}
    path = tmp_path / f"server.{name}{suffix}"
    path.write_bytes(packed[suffix])
    os.utime(path, (1, 1))
    (file,) = Logs(tmp_path, None, "n", line_prefix="%m [%p] %q%u@%d %a %r %c %e ").files()
    assert file.format.name == {"csv": "csvlog", "json": "jsonlog", "log": "stderr"}[name]
    assert file.is_compressed == bool(suffix)
    assert everything(file) == (TEXTS, [])
    assert file.size == len(log)


def test_a_compressed_file_is_the_one_that_was_plain(tmp_path: Path) -> None:
    plain = tmp_path / "a.csv"
    plain.write_bytes(CSV)
    logs = Logs(tmp_path, None, "n")
    (before,) = logs.files()
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(CSV))
    (both,) = logs.files()
    assert both.path == plain
    plain.unlink()
    (after_all,) = logs.files()
    assert after_all.origin == before.origin == both.origin
    assert read_bytes(after_all, 500, 100) == CSV[500:600]


def test_a_file_that_is_being_compressed_waits_for_its_end(tmp_path: Path) -> None:
    packed = gzip.compress(CSV)
    path = tmp_path / "a.csv.gz"
    path.write_bytes(packed[: len(packed) // 2])
    logs = Logs(tmp_path, None, "n")
    for file in logs.files():
        messages, rejects = everything(file)
        assert messages == TEXTS[: len(messages)]
        assert rejects == []
    path.write_bytes(packed)
    (file,) = logs.files()
    assert everything(file) == (TEXTS, [])


def test_compressed_files_that_nobody_reads_on_are_not_open(tmp_path: Path) -> None:
    """There are more of them than a process can have open, where logs are kept for long."""
    rest = later(100) * 10_000
    for number in range(5):
        (tmp_path / f"{number}.csv.gz").write_bytes(gzip.compress(later(number) + rest, compresslevel=1))
    logs = Logs(tmp_path, None, "n")
    opened = Path("/proc/self/fd")
    before = len(list(opened.iterdir()))
    files = logs.files()
    assert len(files) == 5
    assert len(list(opened.iterdir())) == before
    # Whoever reads one goes on where it stopped, and closes it at its end.
    assert read_bytes(files[3], 0, len(later(3))) == later(3)
    assert read_bytes(files[3], len(later(3)), 100) == later(100)[:100]


def test_what_was_found_in_files_that_are_gone_is_forgotten(tmp_path: Path) -> None:
    logs = Logs(tmp_path, None, "n")
    kept = []
    for number in range(5):
        path = tmp_path / "a.csv.gz"
        path.write_bytes(gzip.compress(later(number)))
        kept.append(weakref.ref(logs.files()[0].content))
        path.rename(tmp_path / f"{number}.away")
    gc.collect()
    assert [each() for each in kept[:-2]] == [None] * 3


def test_a_damaged_compressed_file_costs_only_what_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(CSV) + b"garbage" * 10)
    (file,) = Logs(tmp_path, None, "n").files()
    messages, (reject,) = everything(file)
    assert messages == TEXTS
    assert (reject.offset, reject.length) == (len(CSV), 1)
    assert reject.reason.startswith("compressed data damaged")


def test_the_torn_end_of_a_compressed_file_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(CSV + CSV[:100]))
    (file,) = Logs(tmp_path, None, "n").files()
    assert everything(file) == (TEXTS, [Reject(len(CSV), 100, "record not complete")])


def test_of_a_server_that_writes_in_several_formats_one_is_read(tmp_path: Path) -> None:
    for name, write in (("csv", csv), ("json", jsonline), ("log", stderr)):
        log = b"".join(write(each) for each in MESSAGES)
        (tmp_path / f"postgresql-Mon.{name}").write_bytes(log)
        (tmp_path / f"postgresql-Sun.{name}.gz").write_bytes(gzip.compress(b"".join(map(write, [error()]))))
    (tmp_path / "postgresql-Mon.csv").unlink()
    found = Logs(tmp_path, None, "n").files()
    assert sorted(file.path.name for file in found) == ["postgresql-Mon.json", "postgresql-Sun.csv.gz"]


@pytest.mark.parametrize(
    "content",
    [
        b"id,name\n1,Ann\n" * 1000,
        b"\0" * 5000,
        b"x" * 100_000,
        b"a," * 100_000 + b"\n",
        "text\n".encode("utf-16"),
    ],
)
def test_a_file_that_is_no_log_is_one_reject(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.csv").write_bytes(CSV)
    (tmp_path / "list.csv").write_bytes(content)
    logs = Logs(tmp_path, None, "n")
    foreign, log = logs.files()
    assert everything(foreign) == ([], [Reject(0, len(content), "no PostgreSQL log")])
    assert foreign.size == 1
    assert everything(log) == (TEXTS, [])
    with (tmp_path / "list.csv").open("ab") as file:
        file.write(b"\n" + CSV)
    recognised = next(file for file in logs.files() if file.path.name == "list.csv")
    assert everything(recognised)[0] == TEXTS


def test_a_prefix_that_nobody_knows_is_said_so(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"".join(stderr(each, "%m/%u/%d/%p> ") for each in (error(), error())))
    with pytest.raises(LogsUnavailableError, match=r"logs\.line_prefix"):
        Logs(path, None, "n").files()
    (tmp_path / "b.csv").write_bytes(CSV)
    logs = Logs(tmp_path, None, "n")
    foreign, _ = logs.files()
    assert everything(foreign)[1][0].reason == PREFIX_UNKNOWN
    logs.line_prefix = "%m/%u/%d/%p> "
    known = next(file for file in logs.files() if file.path == path)
    assert known.origin != foreign.origin
    assert len(everything(known)[0]) >= 1


def test_the_last_message_of_a_quiet_stderr_log_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(stderr(error()))
    now = path.stat().st_mtime
    for moment, count in ((now, 0), (now + 2, 1)):
        (file,) = Logs(path, None, "n", clock=lambda moment=moment: moment).files()  # type: ignore[misc]
        assert len(everything(file)[0]) == count


def test_a_torn_head_does_not_tell_files_apart(tmp_path: Path) -> None:
    """Two files that were emptied while a record was written begin alike."""
    torn = b'",,,,,,,,,"billing","client backend",,0\n'
    (tmp_path / "a.csv").write_bytes(torn + later(0))
    (tmp_path / "b.csv").write_bytes(torn + later(1))
    assert len(Logs(tmp_path, "*.csv", "n").files()) == 2


def test_a_file_of_another_name_in_between_is_not_read_as_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(later(0) + later(1))
    (file,) = Logs(tmp_path, "*.csv", "n").files()
    path.rename(tmp_path / "a.csv.1")
    path.write_bytes(later(5) + later(6) + later(7))
    assert read_bytes(file, len(later(0)), 1000) == b""


@pytest.mark.parametrize("where", ["logs", "logs/*.csv", "logs/a.csv", "lo*/**/a.csv"])
def test_a_place_may_be_a_folder_a_glob_or_a_file(tmp_path: Path, where: str) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "a.csv").write_bytes(CSV)
    (folder / "inner.csv").mkdir()
    logs = Logs(tmp_path / where, None, "n")
    logs.check()
    assert [file.path.name for file in logs.files()] == ["a.csv"]
    assert logs.directory == (tmp_path if where.startswith("lo*") else folder)


def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = os.open(pipe, os.O_RDWR)
    os.write(writer, CSV + CSV[:50])
    logs = Logs(pipe, None, "n")
    (file,) = logs.files()
    os.close(writer)
    assert logs.directory is None
    assert everything(file) == (TEXTS, [Reject(len(CSV), 50, "record not complete")])
    assert logs.files()[0].size == len(CSV) + 50
