"""Columns of Arrow tables as arrays of numpy, and what all that look at many records at once need of them."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def column(table: pa.Table, name: str) -> "pa.Array[Any]":
    """A column in one piece."""
    found: Any = table[name]
    whole: pa.Array[Any] = found.chunk(0) if found.num_chunks == 1 else found.combine_chunks()
    return whole


def encoded(values: "pa.Array[Any]") -> tuple[Numbers, list[Any]]:
    """Each value, null too, as a place among the distinct ones, in the order in which they come first."""
    plain: Any = values
    if values.null_count and pa.types.is_dictionary(values.type):
        plain = plain.dictionary_decode()
    found = (
        plain.dictionary_encode(null_encoding="encode") if values.null_count else plain.dictionary_encode()
    )
    return found.indices.to_numpy().astype(np.int64), found.dictionary.to_pylist()


def first_places(codes: Numbers, count: int) -> Numbers:
    """Where each of the codes below `count` stands first; 0 for one that does not."""
    firsts = np.zeros(count, dtype=np.int64)
    firsts[codes[::-1]] = np.arange(len(codes))[::-1]
    return firsts


def last_places(codes: Numbers, count: int) -> Numbers:
    """Where each of the codes below `count` stands last; 0 for one that does not."""
    lasts = np.zeros(count, dtype=np.int64)
    lasts[codes] = np.arange(len(codes))
    return lasts


def numbered(values: Numbers) -> tuple[Numbers, Numbers]:
    """The place at which each distinct number stands first, and each number as a place among those."""
    codes, distinct = encoded(pa.array(values))
    return first_places(codes, len(distinct)), codes


def combined(columns: list[Numbers]) -> Numbers:
    """One number for what stands in several columns, none of it negative.

    It grows with the product of what the columns count up to; where that is too much, what came so far is
    numbered anew.
    """
    found = np.zeros(len(columns[0]), dtype=np.int64)
    room = 1
    for each in columns:
        count = int(each.max(initial=0)) + 1
        if room * count >= 1 << 62:
            found = np.unique(found, return_inverse=True)[1].astype(np.int64)
            room = len(found) + 1
        found, room = found * count + each, room * count
    return found


def by_group(groups: Numbers) -> Numbers:
    """The places of the numbers, group by group, in their order within each."""
    # numpy sorts 16 bits many times faster.
    narrow: npt.NDArray[Any] = groups.astype(np.uint16) if groups.max(initial=0) < 1 << 16 else groups
    return np.argsort(narrow, kind="stable")


def byte_lengths(values: "pa.Array[Any]") -> Numbers:
    """The length of each text in bytes."""
    lengths: Any = pc.binary_length(values)  # type: ignore[call-overload]
    found: Numbers = lengths.to_numpy().astype(np.int64)
    return found
