"""Whether the watching goes on: the log is read, counters are sampled, alerts arrive."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from analytics.alerting.delivery import waiting
from analytics.errors import AlertStateError, EvidenceError
from analytics.health.check import Check
from analytics.sentences import count, duration
from analytics.store import Evidence
from catalog.database import Database
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
    """How far the log has been read."""
    name, logs = "ingest", settings.logs
    try:
        found = Logs(logs.directory, logs.pattern, logs.node, line_prefix=logs.line_prefix)
        lag = measure(found, Store(settings.data.directory), logs.node, now)
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


def nodes(settings: Settings, now: datetime) -> Iterator[Check]:
    """Whether each server's counters are sampled often enough, and each replica answers."""
    try:
        with Evidence.open(settings.data.directory) as evidence:
            rows = {row["node"]: row for row in evidence.query("doctor_nodes").to_pylist()}
    except (EvidenceError, IngestError) as error:
        yield Check("samples", False, f"the samples cannot be read: {error.what}", error.todo)
        return
    yield _sampled(settings.logs.node, rows.get(settings.logs.node, {}), settings, now)
    for node in settings.nodes:
        unreachable = _unreachable(node)
        if unreachable:
            todo = "Correct nodes.dsn, or what keeps this machine from it"
            yield Check(f"node {node.name}", False, f"does not answer: {unreachable}", todo)
        else:
            yield _sampled(node.name, rows.get(node.name, {}), settings, now)


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


def _unreachable(node: NodeSettings) -> str | None:
    try:
        Database.connect(node.dsn).close()
    except DatabaseError as error:
        return str(error.what)
    return None
