"""Deprecated labels of enum values in constants: no other word looks like them.

So wherever a line of a statement has one, in its text or among its parameters, it may be a use of the value.

Statements that differ in constants alone are looked into once; this looks at every line, for a few words.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from catalog.elements import Kind
from catalog.snapshot import Snapshot
from ingest.evidence.columns import Flags, column
from ingest.evidence.messages import encoder
from ingest.meaning.resolve import Use
from ingest.meaning.world import World
from ingest.schemas import Operation

# Where constants stand: the statement, its parameters, and the statement of one that failed.
_COLUMNS = ("message", "detail", "sql")


class Labels:
    """Finds the labels that values of one snapshot's attic have there."""

    def __init__(self, snapshot: Snapshot) -> None:
        encode = encoder(snapshot.encoding)
        self._encoded: dict[str, Any] = {
            entry.deprecated_name: {
                encode(entry.deprecated_name),
                encode(entry.deprecated_name.replace("'", "''")),
            }
            for entry in snapshot.attic
            if entry.element.kind is Kind.ENUM_VALUE
        }

    def found(self, records: pa.Table) -> dict[str, Flags]:
        """Which records of a batch have each label in them; a label that none has is left out."""
        found: dict[str, Flags] = {}
        for label, forms in self._encoded.items():
            has = np.zeros(len(records), dtype=bool)
            for name in _COLUMNS:
                texts: Any = column(records, name)
                for form in forms:
                    has |= np.asarray(pc.match_substring(texts, form).fill_null(False))
            if has.any():
                found[label] = has
        return found


def uses_of_label(label: str, world: World) -> Iterator[Use]:
    """The values that had a label at the moment of a world."""
    for element, entry in world.attic.items():
        if element.kind is Kind.ENUM_VALUE and entry.deprecated_name == label:
            yield Use(element, Operation.READ, ambiguous=True)
