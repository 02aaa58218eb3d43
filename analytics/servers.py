"""When the servers were watched, whatever the element: logs read, counters sampled, calls counted."""

from collections.abc import Sequence
from datetime import datetime

from analytics.calls import Calls
from analytics.counters import Counters
from analytics.coverage import Watched, watched
from analytics.store import Evidence
from catalog.counters import CounterSample
from catalog.policy import PolicySettings
from ingest.schemas import Source


def servers_watched(
    evidence: Evidence,
    live: CounterSample,
    policy: PolicySettings,
    nodes: Sequence[str],
    since: datetime,
    until: datetime,
) -> Watched:
    """When each source watched each server; `nodes` are configured, the first is the primary of `live`."""
    counters = Counters(evidence, live, policy, nodes, (), since)
    found = dict(watched(evidence, since, until, counters.nodes, policy))
    found[Source.COUNTER] = {node: counters.looked_at(node) for node in counters.nodes}
    calls = Calls(evidence, policy, counters.nodes, (), since)
    found[Source.STATEMENTS] = {node: calls.looked_at(node) for node in counters.nodes}
    return found
