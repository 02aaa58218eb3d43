"""Whether the watching goes on: the log is read, counters are sampled, alerts arrive."""

import shlex
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from analytics.alerting.delivery import waiting
from analytics.errors import AlertStateError, EvidenceError
from analytics.health.check import Check
from analytics.sentences import count, duration
from analytics.store import Evidence
from catalog.errors import DatabaseError
from catalog.settings import NodeSettings, Settings
from catalog.terminal import size
from ingest.errors import IngestError
from ingest.lag import measure
from ingest.logs.tail import Logs
from ingest.store import Store

# As the alert about it has it, unless somebody configures it otherwise.
_LONG_LAG = timedelta(minutes=15)
_READ_IT = "Run `pgattic ingest --follow` as a service, or `pgattic ingest --once` from cron"
_COLLECT = "Run `pgattic collect` from cron, or `pgattic ingest --follow`, which does it as well"


def ingest(settings: Settings, now: datetime) -> Check:
    """How far the primary's log has been read."""
    logs = settings.logs
    return _read("ingest", logs.node, (logs.directory, logs.pattern, logs.line_prefix), settings, now)


def ingest_of_nodes(settings: Settings, now: datetime) -> Iterator[Check]:
    """How far the log of each replica has been read."""
    for node in settings.nodes:
        if node.logs is None:
            yield _read_beside(node, settings, now)
        else:
            yield _read(f"ingest of {node.name}", node.name, (node.logs, None, None), settings, now)


def _read(
    name: str,
    node: str,
    where: tuple[Path | None, str | None, str | None],
    settings: Settings,
    now: datetime,
) -> Check:
    directory, pattern, line_prefix = where
    try:
        logs = Logs(directory, pattern, node, line_prefix=line_prefix)
        lag = measure(logs, Store(settings.data.directory), node, now)
    except IngestError as error:
        return Check(name, None, f"how far the log is read cannot be told: {error.what}", error.todo)
    at_work = "nobody reads now" if lag.process is None else f"process {lag.process} reads"
    if lag.covered_to is None:
        return Check(name, None, f"the log was never read; {at_work}", _READ_IT)
    behind = lag.lag_seconds or 0.0
    if behind > _LONG_LAG.total_seconds():
        late = duration(timedelta(seconds=behind))
        finding = f"{late} and {size(lag.behind_bytes)} behind the log; {at_work}"
        return Check(name, False, finding, _READ_IT)
    return Check(name, True, f"the log is read to {lag.covered_to:%Y-%m-%d %H:%M}; {at_work}", None)


def _read_beside(node: NodeSettings, settings: Settings, now: datetime) -> Check:
    """How far the log of a server was read by somebody else: its folder is not configured here."""
    name = f"ingest of {node.name}"
    todo = (
        f"Set nodes.logs of {node.name} to its log folder, as seen from here; or read what arrives of it:"
        f" `pgattic ingest --once --node {shlex.quote(node.name)} --logs FOLDER`"
    )
    try:
        with Evidence.open(settings.data.directory) as evidence:
            rows = evidence.query("doctor_read").to_pylist()
    except (EvidenceError, IngestError) as error:
        return Check(name, False, f"how far its log is read cannot be told: {error.what}", error.todo)
    read_to: datetime | None = next((row["read_to"] for row in rows if row["node"] == node.name), None)
    if read_to is None:
        finding = "its log was never read: what fails there is not seen, so nothing will be ready"
        return Check(name, False, finding, todo)
    if now - read_to > _LONG_LAG:
        return Check(name, False, f"its log was read to {read_to:%Y-%m-%d %H:%M}, and not since", todo)
    return Check(name, True, f"its log is read to {read_to:%Y-%m-%d %H:%M}", None)


def alerts(settings: Settings) -> Check:
    """Whether alerts arrive where they should."""
    name = "alerts"
    try:
        found = waiting(settings.data.directory)
    except (AlertStateError, IngestError) as error:
        return Check(name, False, f"what was delivered cannot be told: {error.what}", error.todo)
    late = [each for each in found if each.alerts and each.progress.failing_since]
    if late:
        finding = "; ".join(
            f"{count(each.alerts, 'alert')} for {each.progress.label} since"
            f" {each.progress.failing_since:%Y-%m-%d %H:%M}: {each.progress.problem}"
            for each in late
        )
        return Check(name, False, f"not delivered: {finding}", "Correct alerts.urls; they are tried again")
    pending = sum(each.alerts for each in found)
    if pending:
        finding = f"{count(pending, 'alert')} wait to be delivered, which `pgattic ingest --follow` does"
        return Check(name, None, finding, None)
    if not found:
        has_receiver = settings.alerts.urls or settings.alerts.urls_file or settings.alerts.json_file
        told = "nothing was delivered yet" if has_receiver else "nobody is told of alerts but who runs ingest"
        return Check(name, None, told, None if has_receiver else "Set alerts.urls_file or alerts.json_file")
    return Check(name, True, f"{count(len(found), 'address or file')} got every alert", None)


def nodes(settings: Settings, now: datetime, silent: Mapping[str, DatabaseError]) -> Iterator[Check]:
    """Whether each server's counters are sampled often enough; `silent` are replicas that did not answer."""
    todo = "Correct nodes.dsn, or what keeps this machine from it"
    for node, problem in silent.items():
        yield Check(f"node {node}", False, f"does not answer: {problem.what}", todo)
    try:
        with Evidence.open(settings.data.directory) as evidence:
            rows = {row["node"]: row for row in evidence.query("doctor_nodes").to_pylist()}
    except (EvidenceError, IngestError) as error:
        yield Check("samples", False, f"the samples cannot be read: {error.what}", error.todo)
        return
    for name in settings.node_names:
        if name not in silent:
            yield _sampled(name, rows.get(name, {}), settings, now)


def _sampled(node: str, row: Mapping[str, datetime | None], settings: Settings, now: datetime) -> Check:
    name, seen_at = f"node {node}", row.get("seen_at")
    if seen_at is None:
        return Check(name, None, "its counters were never sampled", _COLLECT)
    longest = timedelta(hours=settings.policy.collect_max_gap_hours)
    age = now - seen_at
    told = f"its counters were sampled {duration(age)} ago"
    if age > longest:
        finding = f"{told}; more than {duration(longest)} is a gap (policy.collect_max_gap_hours)"
        return Check(name, False, finding, _COLLECT)
    return Check(name, True, told, None)
