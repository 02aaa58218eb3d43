"""The bytes of plain, compressed and streamed logs, by position."""

import gzip
import os
import threading
from pathlib import Path

import pyarrow as pa
import pytest

from ingest.logs.contents import DAMAGE_BYTE, CompressedContent, Identity, PlainContent, StreamContent
from tests.ingest.fix_logs import Message, after, csv

LOG = b"".join(csv(Message(f"statement: select {number}", at=after(number))) for number in range(5000))


def packed(suffix: str, log: bytes = LOG) -> bytes:
    """A compressed log."""
    return gzip.compress(log) if suffix == ".gz" else pa.compress(log, codec="zstd", asbytes=True)


def all_of(content: CompressedContent | StreamContent, step: int) -> bytes:
    """Everything from the beginning to the end, in steps."""
    found = b""
    while part := content.read(len(found), step):
        found += part
    return found


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
@pytest.mark.parametrize("step", [1000, 300_000, 10_000_000])
def test_a_compressed_file_reads_as_what_was_compressed(tmp_path: Path, suffix: str, step: int) -> None:
    path = tmp_path / f"a.csv{suffix}"
    path.write_bytes(packed(suffix))
    content = CompressedContent(path)
    assert content.size is None
    assert all_of(content, step) == LOG
    assert content.size == len(LOG)
    assert content.read(len(LOG), 10) == b""
    assert content.read(100, 50) == LOG[100:150]


def test_the_rest_of_a_compressed_file_can_be_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(packed(".gz"))
    content = CompressedContent(path)
    for start in (0, 1000, 1000, 900_000, 5000):
        assert content.read(start, 2000) == LOG[start : start + 2000]


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_file_that_is_still_being_compressed_waits(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.csv{suffix}"
    whole = packed(suffix)
    for length in (0, 5, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        content = CompressedContent(path)
        found = all_of(content, 100_000)
        assert LOG.startswith(found)
        assert (content.size, content.damage) == (None, None)
    path.write_bytes(whole)
    assert all_of(CompressedContent(path), 100_000) == LOG


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_damaged_file_ends_with_its_damage(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.csv{suffix}"
    path.write_bytes(packed(suffix) + b"what is this?" * 10)
    content = CompressedContent(path)
    assert all_of(content, 300_000) == LOG + DAMAGE_BYTE
    assert content.size == len(LOG) + 1
    assert content.damage is not None
    assert content.damage.startswith("compressed data damaged")


def test_files_packed_one_after_the_other_are_one(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(packed(".gz") + packed(".gz"))
    assert all_of(CompressedContent(path), 300_000) == LOG + LOG


def test_a_plain_file_that_was_replaced_gives_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(LOG)
    status = path.stat()
    content = PlainContent(path, Identity(status.st_dev, status.st_ino, 0, LOG[:50]), len(LOG))
    assert content.read(100, 10) == LOG[100:110]
    path.write_bytes(LOG[500:])
    assert content.read(100, 10) == b""
    path.rename(tmp_path / "a.csv.1")
    assert content.read(100, 10) == b""


def test_a_stream_is_read_once_but_for_what_was_not_complete() -> None:
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(LOG)

    writer = threading.Thread(target=write)
    writer.start()
    content = StreamContent(reading)
    assert content.read(0, 1000) == LOG[:1000]
    assert content.read(900, 1000) == LOG[900:1900]
    assert content.read(1900, 10_000_000) == LOG[1900:]
    writer.join()
    assert content.size == len(LOG)
    os.close(reading)


def test_a_stream_that_pauses_gives_what_it_has() -> None:
    reading, writing = os.pipe()
    os.write(writing, LOG[:500])
    content = StreamContent(reading)
    assert content.read(0, 1000) == LOG[:500]
    assert content.size is None
    os.close(writing)
    assert content.read(500, 1000) == b""
    assert content.size == 500
    os.close(reading)
