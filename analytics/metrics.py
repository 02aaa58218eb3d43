"""The home of prometheus_client: figures as text that Prometheus and node_exporter read.

Names of elements, rules and receivers are the only labels that grow, and each is bounded: beyond the 200
elements that were used last, uses stand under `(others)`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from time import monotonic

from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from analytics.errors import MetricsAddressError
from analytics.figures import MOST_ELEMENTS, Figures
from catalog.errors import PgatticError

Take = Callable[[], Figures]


def as_text(figures: Figures) -> str:
    """The figures in Prometheus' text format."""
    return generate_latest(_registry(lambda: figures, 0)).decode()


@contextmanager
def serving(address: str, take: Take, at_most_every: float) -> Iterator[str]:
    """Serve /metrics at `host:port` while the block runs; gives the address, with the port that was taken.

    Figures are taken when they are asked for, but only so often (in seconds). Raises MetricsAddressError.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise MetricsAddressError("no address to listen at; write host:port", where=repr(address))
    try:
        server, thread = start_http_server(
            int(port), addr=host.strip("[]"), registry=_registry(take, at_most_every)
        )
    except OSError as error:
        raise MetricsAddressError(f"cannot listen: {error.strerror}", where=address) from error
    try:
        yield f"{host}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _registry(take: Take, at_most_every: float) -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(take, at_most_every))
    return registry


class _Figures(Collector):
    """Gives the figures to a registry; scrapes come in threads of their own, one of which takes them."""

    def __init__(self, take: Take, at_most_every: float) -> None:
        self._take = take
        self._at_most_every = at_most_every
        self._lock = Lock()
        self._figures: Figures | None = None
        self._taken = 0.0

    def describe(self) -> list[Metric]:
        """Nothing: what there is shows when it is collected."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The metrics; where no figures are to be had, that alone."""
        figures = self._fresh()
        yield GaugeMetricFamily(
            "pgattic_up", "Whether the evidence could be read", float(figures is not None)
        )
        if figures is not None:
            yield from _metrics(figures)

    def _fresh(self) -> Figures | None:
        with self._lock:
            if self._figures is None or monotonic() - self._taken >= self._at_most_every:
                try:
                    self._figures = self._take()
                except PgatticError:
                    self._figures = None
                self._taken = monotonic()
            return self._figures


def _metrics(figures: Figures) -> Iterator[Metric]:
    yield _gauge(
        "pgattic_figures_timestamp_seconds", "When the figures were taken", figures.taken_at.timestamp()
    )
    yield from _of_logs(figures)
    yield from _of_alerts(figures)
    yield _gauge("pgattic_database_up", "Whether the database answered", float(figures.judged is not None))
    if figures.breaker_open is not None:
        yield _gauge(
            "pgattic_breaker_open", "Whether the circuit breaker is open", float(figures.breaker_open)
        )
    if figures.judged is not None:
        yield _gauge("pgattic_attic_elements", "Elements in the attic", len(figures.judged))
        verdicts = GaugeMetricFamily(
            "pgattic_verdict",
            "1 for what an element in the attic is judged as",
            labels=["element", "verdict"],
        )
        for found in figures.judged[:MOST_ELEMENTS]:
            verdicts.add_metric([str(found.element), found.verdict.value], 1)
        yield verdicts


def _of_logs(figures: Figures) -> Iterator[Metric]:
    uses = CounterMetricFamily(
        "pgattic_uses", "Lines that told of a use of the attic", labels=["element", "outcome", "source"]
    )
    for row in figures.uses:
        uses.add_metric([row["element"], row["outcome"], row["source"]], row["uses"])
    yield uses
    share = GaugeMetricFamily(
        "pgattic_coverage_ratio", "Share of the last day in which a source could be seen", labels=["source"]
    )
    for found in figures.coverage:
        share.add_metric([found.source.value], found.fraction)
    yield share
    lag = GaugeMetricFamily(
        "pgattic_ingest_lag_seconds", "How long ago the log was last known to be read", labels=["node"]
    )
    newest = GaugeMetricFamily(
        "pgattic_last_record_timestamp_seconds", "Up to when records were last found", labels=["node"]
    )
    for row in figures.nodes:
        lag.add_metric([row["node"]], max((figures.taken_at - row["read_to"]).total_seconds(), 0))
        if row["record_at"]:
            newest.add_metric([row["node"]], row["record_at"].timestamp())
    yield lag
    yield newest


def _of_alerts(figures: Figures) -> Iterator[Metric]:
    raised = CounterMetricFamily("pgattic_alerts", "Alerts raised", labels=["severity", "rule"])
    for row in figures.alerts:
        raised.add_metric([row["severity"], row["rule"]], row["alerts"])
    yield raised
    undelivered = GaugeMetricFamily(
        "pgattic_alerts_undelivered", "Alerts that a receiver has yet to get", labels=["receiver"]
    )
    attempts = GaugeMetricFamily(
        "pgattic_delivery_failed_attempts", "Attempts that failed since one arrived", labels=["receiver"]
    )
    for one in figures.waiting:
        undelivered.add_metric([one.progress.label], one.alerts)
        attempts.add_metric([one.progress.label], one.progress.attempts)
    yield undelivered
    yield attempts


def _gauge(name: str, told: str, value: float) -> Metric:
    return GaugeMetricFamily(name, told, value)
