"""Samples what the servers themselves count: one look at every configured node.

Counters of tables and indexes, the settings in force, and what pg_stat_statements knows of elements in the
attic go into the tables `sample`, `counter` and `statement_counter`. A node that does not answer is written
down too: a use there could not be seen.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa

from catalog.database import Database
from catalog.errors import DatabaseError
from catalog.settings import NodeSettings, Settings
from ingest.calls import CallReader
from ingest.logs.tail import Logs
from ingest.look import Look, look
from ingest.schemas import COUNTER, SAMPLE, STATEMENT, STATEMENT_COUNTER
from ingest.store import Store

_TABLES = {
    "counter": COUNTER,
    "statement_counter": STATEMENT_COUNTER,
    "statement": STATEMENT,
    "sample": SAMPLE,
}


@dataclass(frozen=True)
class Node:
    """A server to look at; `connect` raises DatabaseError where it does not answer.

    `log_format` tells that of its logs, None where no logs are configured for it alone.
    """

    name: str
    connect: Callable[[], Database]
    log_format: Callable[[], str | None] = lambda: None


@dataclass(frozen=True)
class NodeResult:
    """What one look brought; `failure` says why it brought nothing, `notes` what could not be seen."""

    node: str
    sampled_at: datetime
    objects: int = 0
    statements: int = 0
    failure: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Collected:
    """What a round of looks brought, in the order of the nodes."""

    nodes: tuple[NodeResult, ...]

    @property
    def failed(self) -> tuple[NodeResult, ...]:
        """The nodes that were not seen."""
        return tuple(node for node in self.nodes if node.failure)


@dataclass
class _Rows:
    """Rows for the evidence tables, until they are written."""

    by_table: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {name: [] for name in _TABLES})

    def add(self, name: str, *rows: dict[str, Any], at: datetime) -> None:
        self.by_table[name].extend({**row, "day": at.date()} for row in rows)


def configured_nodes(settings: Settings, connect: Callable[[], Database]) -> tuple[Node, ...]:
    """The primary, under the name that its log has, and the replicas."""
    database = settings.database

    def to_replica(dsn: str) -> Callable[[], Database]:
        return lambda: Database.connect(
            dsn,
            lock_timeout_ms=database.lock_timeout_ms,
            statement_timeout_ms=database.statement_timeout_ms,
        )

    def format_of(node: NodeSettings) -> Callable[[], str | None]:
        return lambda: Logs(node.logs, None, node.name).newest_format() if node.logs else None

    replicas = (Node(node.name, to_replica(node.dsn), format_of(node)) for node in settings.nodes)
    return (Node(settings.logs.node, connect), *replicas)


def collect(
    nodes: Sequence[Node],
    store: Store,
    clock: Callable[[], datetime],
    *,
    log_format: str = "csvlog",
    new_servers: Collection[str] = (),
    reader: CallReader | None = None,
) -> Collected:
    """Look at every node once and keep what was seen; a node that fails does not keep the others from it.

    The first node is the primary; the others must be physical replicas of it. A node that suddenly is another
    server is refused, unless it is named in `new_servers`: its counters are not those of the one before.
    `log_format` is that of the logs that `ingest` reads, where a node does not tell it: what goes elsewhere
    shows it nothing. Who looks time and again keeps the `reader`, which knows statements again. Raises
    StoreError.
    """
    known_ids = _system_ids(store)
    primary_id: int | None = None
    names: dict[tuple[datetime, datetime], str] = {}
    rows, results = _Rows(), []
    reader = reader or CallReader(store.data_directory)
    for number, node in enumerate(nodes):
        expected = known_ids.get(node.name) if node.name not in new_servers else None
        try:
            seen = _look_at(node, node.log_format() or log_format, reader)
        except DatabaseError as error:
            results.append(_missed(node, str(error.what), clock(), rows))
            continue
        if number == 0:
            primary_id = seen.system_id
        stranger = _stranger(seen, expected, primary_id) or _repeated(seen, names.get(seen.server_key))
        if stranger:
            results.append(_missed(node, stranger, clock(), rows))
            continue
        names[seen.server_key] = node.name
        results.append(_keep(node, seen, rows))
    _write(store, rows)
    reader.save()
    return Collected(tuple(results))


def _look_at(node: Node, log_format: str, reader: CallReader) -> Look:
    with node.connect() as db:
        return look(db, log_format, reader)


def _stranger(seen: Look, expected: int | None, primary_id: int | None) -> str | None:
    """Say why a server is not the one that was meant, if so."""
    if expected is not None and seen.system_id != expected:
        return (
            f"another server answers here: its system identifier is {seen.system_id}, so far it was"
            f" {expected}. If it was replaced on purpose: --new-server"
        )
    if primary_id is not None and seen.system_id != primary_id:
        return (
            f"no replica of the primary: its system identifier is {seen.system_id}, that of the primary"
            f" {primary_id}"
        )
    return None


def _repeated(seen: Look, other: str | None) -> str | None:
    """Say that a server answers under two names: then nobody looks at the one that was meant."""
    if other is None:
        return None
    whose = "a primary" if not seen.server["in_recovery"] else "a standby"
    return (
        f"the same server answers as {other} does ({whose}, started at"
        f" {seen.server['server_started_at']:%Y-%m-%d %H:%M:%S}). After a failover each dsn has to name the"
        " server that is meant"
    )


def _missed(node: Node, why: str, at: datetime, rows: _Rows) -> NodeResult:
    rows.add("sample", {"sampled_at": at, "node": node.name, "failure": why}, at=at)
    return NodeResult(node.name, at, failure=why)


def _keep(node: Node, seen: Look, rows: _Rows) -> NodeResult:
    at = seen.sampled_at
    head = {"sampled_at": at, "node": node.name}
    rows.add("sample", {**head, **seen.server}, at=at)
    rows.add("counter", *({**head, **row} for row in seen.counters), at=at)
    rows.add("statement_counter", *({**head, **row} for row in seen.statements), at=at)
    rows.add("statement", *({**row, "first_seen_at": at} for row in seen.texts), at=at)
    statements = {row["statement_id"] for row in seen.statements if row["operation"] is not None}
    return NodeResult(node.name, at, len(seen.counters), len(statements), notes=seen.notes)


def _system_ids(store: Store) -> dict[str, int]:
    """The system identifier by which each node was last known."""
    found: dict[str, tuple[datetime, int]] = {}
    for row in store.rows("sample", ["sampled_at", "node", "system_id"]).to_pylist():
        last = found.get(row["node"])
        if row["system_id"] is not None and (last is None or row["sampled_at"] > last[0]):
            found[row["node"]] = row["sampled_at"], row["system_id"]
    return {node: system_id for node, (_, system_id) in found.items()}


def _write(store: Store, rows: _Rows) -> None:
    texts = rows.by_table["statement"]
    if texts:
        known = set(store.rows("statement", ["statement_id"])["statement_id"].to_pylist())
        by_id = {row["statement_id"]: row for row in texts if row["statement_id"] not in known}
        rows.by_table["statement"] = list(by_id.values())
    # The sample comes last: where it stands, what belongs to it does too.
    for name, schema in _TABLES.items():
        if rows.by_table[name]:
            store.append(name, pa.Table.from_pylist(rows.by_table[name], schema=schema), transaction=None)
            store.compact(name)
