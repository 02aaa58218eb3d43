"""From the cases of a batch's records to the rows of three tables."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest.evidence.cases import Case, Row
from ingest.evidence.columns import (
    Flags,
    Numbers,
    by_group,
    column,
    combined,
    encoded,
    first_places,
    numbered,
)
from ingest.evidence.messages import Decode, without_port
from ingest.evidence.recognition import UNKNOWN
from ingest.schemas import ACCESS, STATEMENT, TIME, USAGE_HOURLY

# In microseconds, as the tables have their times.
_HOUR = 3_600_000_000
# In every language the milliseconds are the first figure of such a line.
_MILLISECONDS = r"^[^0-9]*(?P<ms>[0-9]+(?:\.[0-9]+)?)"


@dataclass(frozen=True, slots=True)
class EvidenceRows:
    """What one batch of records says, as rows of three tables; how many of them are no message we know."""

    access: pa.Table
    usage_hourly: pa.Table
    statement: pa.Table
    unrecognised: int


@dataclass(frozen=True, slots=True)
class Told:
    """Records of one database, each with its case as a place in `cases`; UNKNOWN where it tells of no use.

    `is_timed` are those that say how long their statement took.
    """

    records: pa.Table
    places: Numbers
    cases: list[Case]
    is_timed: Flags
    unrecognised: int
    database: str
    decode: Decode


def evidence_rows(told: Told, *, node: str, origin: str, known: set[str]) -> EvidenceRows:
    """The rows of a batch; statements that are not in `known` yet get a row and are added to it."""
    return EvidenceRows(
        _access_rows(told, node, origin),
        _usage_rows(told, node),
        _statement_rows(told, known),
        told.unrecognised,
    )


def _access_rows(told: Told, node: str, origin: str) -> pa.Table:
    uses = _Uses.of(told.cases, tracked=True)
    row, use = uses.spread(told.places)
    if not len(row):
        return ACCESS.empty_table()
    records = told.records.take(row)
    times = column(records, "occurred_at")
    found: dict[str, Any] = {
        **uses.columns(use),
        "occurred_at": times,
        "node": pa.repeat(node, len(row)),
        "role": _text(column(records, "role"), told.decode),
        "database": pa.repeat(told.database, len(row)),
        "application": _text(column(records, "application"), told.decode),
        "client": _text(column(records, "client"), lambda value: without_port(told.decode(value))),
        "session_id": _text(column(records, "session_id"), told.decode),
        "session_line": column(records, "session_line").fill_null(0),
        "origin": pa.repeat(origin, len(row)),
        "log_offset": column(records, "log_offset"),
        "duration_ms": _durations(column(records, "message"), told.is_timed[row]),
        "day": times.cast(pa.date32()),
    }
    return pa.table({name: found[name] for name in ACCESS.names}, schema=ACCESS)


def _usage_rows(told: Told, node: str) -> pa.Table:
    uses = _Uses.of(told.cases, tracked=False)
    rows = uses.rows_with_any(told.places)
    if not len(rows):
        return USAGE_HOURLY.empty_table()
    chosen = told.records.select(["occurred_at", "role", "application"])
    chosen = chosen if len(rows) == len(chosen) else chosen.take(rows)
    moments = column(chosen, "occurred_at").cast(pa.int64()).to_numpy()
    role, roles = encoded(column(chosen, "role"))
    application, applications = encoded(column(chosen, "application"))
    hour = moments // _HOUR
    key = combined([told.places[rows], role, application, hour - hour.min()])
    firsts, group = numbered(key)
    order = by_group(group)
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    first, last = (of.reduceat(moments[order], starts) for of in (np.minimum, np.maximum))
    each, use = uses.spread(told.places[rows][firsts])
    found: dict[str, Any] = {
        **uses.columns(use),
        "hour": _times(hour[firsts][each] * _HOUR),
        "node": pa.repeat(node, len(each)),
        "role": _decoded(roles, told.decode).take(role[firsts][each]),
        "database": pa.repeat(told.database, len(each)),
        "application": _decoded(applications, told.decode).take(application[firsts][each]),
        "uses": pa.array(np.bincount(group)[each]),
        "timed": pa.array(np.bincount(group, told.is_timed[rows])[each].astype(np.int64)),
        "first_at": _times(first[each]),
        "last_at": _times(last[each]),
        "day": _times(first[each]).cast(pa.date32()),
    }
    return pa.table({name: found[name] for name in USAGE_HOURLY.names}, schema=USAGE_HOURLY)


def _statement_rows(told: Told, known: set[str]) -> pa.Table:
    rows: list[dict[str, Any]] = []
    firsts = first_places(np.maximum(told.places, UNKNOWN) + 1, len(told.cases) + 1)[1:]
    for case, row in zip(told.cases, firsts.tolist(), strict=True):
        statement = case.statement
        if statement is None or statement.statement_id in known:
            continue
        # What could not be read may use anything.
        if not case.rows and statement.references.is_parsed:
            continue
        known.add(statement.statement_id)
        moment = told.records["occurred_at"][row].as_py()
        rows.append(
            {
                "statement_id": statement.statement_id,
                "text": statement.text,
                "is_parsed": statement.references.is_parsed,
                "first_seen_at": moment,
                "day": moment.date(),
            }
        )
    return pa.Table.from_pylist(rows, schema=STATEMENT)


@dataclass(frozen=True, slots=True)
class _Uses:
    """The uses of all cases of a batch under one another; `counts` says how many of them are each case's."""

    rows: list[Row]
    counts: Numbers
    cases: list[Case]

    @classmethod
    def of(cls, cases: list[Case], *, tracked: bool) -> "_Uses":
        rows = [[row for row in case.rows if row.is_tracked or not tracked] for case in cases]
        counts = np.array([len(of_case) for of_case in rows], dtype=np.int64)
        return cls([row for of_case in rows for row in of_case], counts, cases)

    def rows_with_any(self, places: Numbers) -> Numbers:
        """Which of the records, told by the places of their cases, use anything."""
        has_case = np.flatnonzero(places != UNKNOWN)
        return has_case[self.counts[places[has_case]] > 0]

    def spread(self, places: Numbers) -> tuple[Numbers, Numbers]:
        """A record and one of its uses, for each use of each record."""
        chosen = self.rows_with_any(places)
        counts = self.counts[places[chosen]]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        starts = np.cumsum(self.counts) - self.counts
        return np.repeat(chosen, counts), np.repeat(starts[places[chosen]], counts) + within

    def columns(self, use: Numbers) -> dict[str, "pa.Array[Any]"]:
        """What the tables tell of uses, and of the case of each."""
        case = np.repeat(np.arange(len(self.cases)), self.counts)[use]
        text, flag = pa.string(), pa.bool_()
        of_use: dict[str, pa.Array[Any]] = {
            "element": pa.array([row.element for row in self.rows], text),
            "operation": pa.array([row.operation for row in self.rows], text),
            "via": pa.array([row.via for row in self.rows], text),
            "implicit": pa.array([row.implicit for row in self.rows], flag),
            "ambiguous": pa.array([row.ambiguous for row in self.rows], flag),
        }
        of_case: dict[str, pa.Array[Any]] = {
            "outcome": pa.array([each.outcome for each in self.cases], text),
            "source": pa.array([each.source for each in self.cases], text),
            "sqlstate": pa.array([each.sqlstate for each in self.cases], text),
            "statement_id": pa.array(
                [each.statement.statement_id if each.statement else None for each in self.cases], text
            ),
        }
        found = {name: values.take(use) for name, values in of_use.items()}
        return found | {name: values.take(case) for name, values in of_case.items()}


def _durations(messages: "pa.Array[Any]", is_timed: Flags) -> "pa.Array[Any]":
    """The milliseconds that lines tell, null where one tells none."""
    if not is_timed.any():
        return pa.nulls(len(messages), pa.float64())
    timed: Any = pc.if_else(pa.array(is_timed), messages, None)
    found: Any = pc.extract_regex(timed, _MILLISECONDS)
    figures: pa.Array[Any] = pc.struct_field(found, "ms").cast(pa.string()).cast(pa.float64())
    return figures


def _times(microseconds: Numbers) -> "pa.Array[Any]":
    return pa.array(microseconds, pa.int64()).cast(TIME)


def _decoded(values: list[bytes], decode: Decode) -> "pa.Array[Any]":
    return pa.array([decode(value) for value in values], pa.string())


def _text(values: "pa.Array[Any]", decode: Decode) -> "pa.Array[Any]":
    codes, distinct = encoded(values)
    return _decoded(distinct, decode).take(codes)
