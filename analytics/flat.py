"""Verdicts, coverage and candidates as flat tables: one row each, for files that other programs read.

The names of the columns stay; new ones come at the end. Several texts of one row are put together with ` | `.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from analytics.observed import Candidate
from analytics.timelines import Timeline
from analytics.verdict import Readiness
from catalog.elements import Element

_BETWEEN = " | "
_Columns = Sequence[tuple[str, pa.DataType]]
_TIME = pa.timestamp("us", "UTC")
_VERDICTS: _Columns = [
    ("element", pa.string()),
    ("kind", pa.string()),
    ("deprecated_name", pa.string()),
    ("migration_id", pa.string()),
    ("deprecated_at", _TIME),
    ("verdict", pa.string()),
    ("earliest", _TIME),
    ("undated", pa.string()),
    ("rules_met", pa.int64()),
    ("rules_not_met", pa.int64()),
    ("rules_unknown", pa.int64()),
    ("reasons", pa.string()),
    ("notes", pa.string()),
]
_COVERAGE: _Columns = [
    ("element", pa.string()),
    ("source", pa.string()),
    ("node", pa.string()),
    ("is_watched", pa.bool_()),
    ("begins_at", _TIME),
    ("ends_at", _TIME),
    ("seconds", pa.float64()),
]
_CANDIDATES: _Columns = [
    ("element", pa.string()),
    ("kind", pa.string()),
    ("reason", pa.string()),
    ("confidence", pa.float64()),
    ("bytes", pa.int64()),
    ("evidence", pa.string()),
]


def verdicts(found: Iterable[Readiness]) -> pa.Table:
    """A row an element, in the order given; `earliest` is null where `undated` says why, or it is ready."""
    return _table(
        _VERDICTS,
        (
            {
                "element": str(one.element),
                "kind": one.element.kind.value,
                "deprecated_name": one.deprecated_name,
                "migration_id": one.migration_id,
                "deprecated_at": one.deprecated_at,
                "verdict": one.verdict.value,
                "earliest": one.earliest,
                "undated": one.undated,
                "rules_met": sum(rule.met is True for rule in one.rules),
                "rules_not_met": sum(rule.met is False for rule in one.rules),
                "rules_unknown": sum(rule.met is None for rule in one.rules),
                "reasons": _BETWEEN.join(one.reasons),
                "notes": _BETWEEN.join(one.notes),
            }
            for one in found
        ),
    )


def coverage(found: Timeline, element: Element | None) -> pa.Table:
    """A row for each stretch of time in which a source watched a node, and for each gap, in their order.

    The rows of a source and a node follow on each other from the begin of the time to its end.
    """
    rows = []
    for line in found.lines:
        stretches = [(*stretch, True) for stretch in line.stretches]
        gaps = [(*gap, False) for gap in line.gaps]
        for begin, end, is_watched in sorted([*stretches, *gaps]):
            rows.append(
                {
                    "element": str(element) if element else None,
                    "source": line.source,
                    "node": line.node,
                    "is_watched": is_watched,
                    "begins_at": begin,
                    "ends_at": end,
                    "seconds": (end - begin).total_seconds(),
                }
            )
    return _table(_COVERAGE, rows)


def candidates(found: Sequence[Candidate]) -> pa.Table:
    """A row a candidate, the best first."""
    return _table(
        _CANDIDATES,
        (
            {
                "element": str(one.element),
                "kind": one.element.kind.value,
                "reason": one.reason,
                "confidence": one.confidence,
                "bytes": one.bytes,
                "evidence": _BETWEEN.join(one.evidence),
            }
            for one in found
        ),
    )


def _table(columns: _Columns, rows: Iterable[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist([*rows], schema=pa.schema(columns))
