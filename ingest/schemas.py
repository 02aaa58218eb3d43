"""The evidence tables: their columns, spelt once.

Every table is partitioned by `day` (UTC). `origin` identifies a log file by its content and `log_offset` is a
record's first byte in it, so a row can always be traced back to its record. Times are UTC microseconds.
"""

from enum import StrEnum

import pyarrow as pa

TIME = pa.timestamp("us", tz="UTC")


class Source(StrEnum):
    """How a use was seen."""

    ERROR = "error"
    LOG = "log"
    SENSOR = "sensor"
    AUDIT = "audit"
    PLAN = "plan"
    COUNTER = "counter"
    STATEMENTS = "statements"


class Operation(StrEnum):
    """What a use did."""

    READ = "read"
    WRITE = "write"
    DDL = "ddl"


class Outcome(StrEnum):
    """Whether the statement of a use succeeded, as far as its log line tells."""

    OK = "ok"
    ERROR = "error"


def _schema(*fields: tuple[str, pa.DataType]) -> pa.Schema:
    return pa.schema([*(pa.field(name, kind) for name, kind in fields), pa.field("day", pa.date32())])


# One use of an element in the attic (or one that was there).
ACCESS = _schema(
    ("occurred_at", TIME),
    ("node", pa.string()),
    ("element", pa.string()),
    ("operation", pa.string()),
    ("outcome", pa.string()),
    ("source", pa.string()),
    ("via", pa.string()),
    ("implicit", pa.bool_()),
    ("ambiguous", pa.bool_()),
    ("sqlstate", pa.string()),
    ("role", pa.string()),
    ("database", pa.string()),
    ("application", pa.string()),
    ("client", pa.string()),
    ("statement_id", pa.string()),
    ("session_id", pa.string()),
    ("session_line", pa.int64()),
    ("origin", pa.string()),
    ("log_offset", pa.int64()),
    # How long the whole statement took, where the log tells.
    ("duration_ms", pa.float64()),
)

# Uses of every element, tracked or not, counted by the hour. Counts of one hour can stand in several rows.
# `timed` is how many of them come from lines that say how long the statement took: one that failed has none
# such. It is null where an earlier pgattic has counted.
USAGE_HOURLY = _schema(
    ("hour", TIME),
    ("node", pa.string()),
    ("element", pa.string()),
    ("operation", pa.string()),
    ("outcome", pa.string()),
    ("source", pa.string()),
    ("implicit", pa.bool_()),
    ("ambiguous", pa.bool_()),
    ("role", pa.string()),
    ("database", pa.string()),
    ("application", pa.string()),
    ("statement_id", pa.string()),
    ("uses", pa.int64()),
    ("timed", pa.int64()),
    ("first_at", TIME),
    ("last_at", TIME),
)

# One distinct normalised statement. A statement can stand in several rows; they are equal but for the time.
STATEMENT = _schema(
    ("statement_id", pa.string()),
    ("text", pa.string()),
    ("is_parsed", pa.bool_()),
    ("first_seen_at", TIME),
)

# A stretch of log that could not be read as records. Its text is not kept: it may hold anything.
REJECT = _schema(
    ("node", pa.string()),
    ("origin", pa.string()),
    ("path", pa.string()),
    ("log_offset", pa.int64()),
    ("length", pa.int64()),
    ("reason", pa.string()),
    ("found_at", TIME),
)

# One batch of log that was read: from when to when, and what a use would have shown up as (Source values).
# Its newest row of a file is also the position to go on from. `unrecognised` counts records of sessions that
# are no message we know: a use may hide in them. `reloads` and `setting_changes` are when lines tell that the
# server read its configuration anew, and that this changed a setting which decides on failed statements; null
# where lines have no numbers, so that missing ones prove nothing, and where an earlier pgattic has read them.
COVERAGE = _schema(
    ("node", pa.string()),
    ("origin", pa.string()),
    ("path", pa.string()),
    ("start_offset", pa.int64()),
    ("end_offset", pa.int64()),
    ("records", pa.int64()),
    ("unrecognised", pa.int64()),
    ("covered_from", TIME),
    ("covered_to", TIME),
    ("sources", pa.list_(pa.string())),
    ("reloads", pa.list_(TIME)),
    ("setting_changes", pa.list_(TIME)),
    ("read_at", TIME),
)

# A time of which lines of a log are lost: what else was read of it does not cover it.
GAP = _schema(
    ("node", pa.string()),
    ("origin", pa.string()),
    ("path", pa.string()),
    ("log_offset", pa.int64()),
    ("gap_from", TIME),
    ("gap_to", TIME),
    ("reason", pa.string()),
    ("lines", pa.int64()),
    ("found_at", TIME),
)

# One look at a node: who it is, since when its counters count, what its settings make its log show.
# `kept_since` is when the server began to count after its making or its last crash, and differs between any
# two servers; `settings_since` is when it last read its configuration; `sources` is what its log shows by
# those settings, and `statements` where pg_stat_statements counts every statement and tells each text.
# `overridden` are settings that decide on evidence of which some role or database had its own value;
# `log_file` is the file that the log was, without the endings of formats (null: nothing in it, or no right to
# ask). `registry_at` is the newest rename that it knew of: a standby that lags behind has not heard of all.
# What is known of pg_stat_statements stands in the last columns: when its entries were read, since when they
# count, how often some were thrown away to make room, and how many entries and calls there are of this
# database. A node that did not answer has the reason in `failure` and nothing else.
SAMPLE = _schema(
    ("sampled_at", TIME),
    ("node", pa.string()),
    ("failure", pa.string()),
    ("system_id", pa.int64()),
    ("timeline", pa.int32()),
    ("in_recovery", pa.bool_()),
    ("server_version", pa.int32()),
    ("server_started_at", TIME),
    ("kept_since", TIME),
    ("reset_at", TIME),
    ("settings_since", TIME),
    ("settings", pa.list_(pa.string())),
    ("sources", pa.list_(pa.string())),
    ("overridden", pa.list_(pa.string())),
    ("log_file", pa.string()),
    ("standbys", pa.int32()),
    ("oldest_session_at", TIME),
    ("registry_at", TIME),
    ("statements_read_at", TIME),
    ("statements_reset_at", TIME),
    ("statements_evicted", pa.int64()),
    ("statements_entries", pa.int64()),
    ("statements_calls", pa.int64()),
)

# What one node has counted of one table, materialized view, index or sequence, since the later of
# `kept_since` and `reset_at`. `reads` are scans (of a sequence, fetches of its one block), `writes` rows;
# `last_read_at` is null before PostgreSQL 16, and so is `bytes` where somebody held a lock on it. Tables and
# materialized views alone have `blocks` fetched of them and their indexes, `maintenance` by vacuum and
# analyze, and a `filenode`, which a standby does not tell. `element` has its former name where it is in the
# attic.
COUNTER = _schema(
    ("sampled_at", TIME),
    ("node", pa.string()),
    ("element", pa.string()),
    ("oid", pa.int64()),
    ("reads", pa.int64()),
    ("writes", pa.int64()),
    ("last_read_at", TIME),
    ("blocks", pa.int64()),
    ("maintenance", pa.int64()),
    ("filenode", pa.int64()),
    ("heap_read", pa.int64()),
    ("heap_hit", pa.int64()),
    ("dead_rows", pa.int64()),
    ("bytes", pa.int64()),
    ("server_started_at", TIME),
    ("kept_since", TIME),
    ("reset_at", TIME),
)

# How often pg_stat_statements has counted a statement that uses an element in the attic; its normalised text
# is in `statement`. `after_rename` where the text says the deprecated name, so that all of its calls are
# later than the rename. Where `operation` is null these are calls of statements that may have used the
# element, or anything (`element` is null too). With a `statement_id`, which is then the number of an entry,
# it may only if it was there at an earlier look: its text says names that nothing has any more.
STATEMENT_COUNTER = _schema(
    ("sampled_at", TIME),
    ("node", pa.string()),
    ("element", pa.string()),
    ("statement_id", pa.string()),
    ("role", pa.string()),
    ("operation", pa.string()),
    ("via", pa.string()),
    ("implicit", pa.bool_()),
    ("ambiguous", pa.bool_()),
    ("after_rename", pa.bool_()),
    ("calls", pa.int64()),
    ("rows", pa.int64()),
    ("total_ms", pa.float64()),
)

# Something a person should look at.
ALERT = _schema(
    ("occurred_at", TIME),
    ("raised_at", TIME),
    ("rule", pa.string()),
    ("severity", pa.string()),
    ("element", pa.string()),
    ("message", pa.string()),
    ("role", pa.string()),
    ("database", pa.string()),
    ("application", pa.string()),
    ("client", pa.string()),
    ("statement_id", pa.string()),
    ("origin", pa.string()),
    ("log_offset", pa.int64()),
    ("node", pa.string()),
)

TABLES: dict[str, pa.Schema] = {
    "access": ACCESS,
    "usage_hourly": USAGE_HOURLY,
    "statement": STATEMENT,
    "reject": REJECT,
    "coverage": COVERAGE,
    "gap": GAP,
    "alert": ALERT,
    "sample": SAMPLE,
    "counter": COUNTER,
    "statement_counter": STATEMENT_COUNTER,
}
