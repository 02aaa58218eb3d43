"""When the servers were watched, whatever the element: logs read, counters sampled, calls counted."""

from datetime import datetime

from analytics.calls import Calls
from analytics.counters import Counters
from analytics.coverage import Watched, watched
from analytics.grounds import Grounds
from ingest.schemas import Source


def servers_watched(grounds: Grounds, since: datetime) -> Watched:
    """When each source watched each server, from `since` to now."""
    evidence, policy = grounds.evidence, grounds.policy
    counters = Counters(grounds, (), since)
    own = counters.own_settings
    found = dict(watched(evidence, since, grounds.now, counters.nodes, policy, counters.promotions, own))
    found[Source.COUNTER] = {node: counters.looked_at(node) for node in counters.nodes}
    calls = Calls(evidence, policy, counters.nodes, (), since, own)
    found[Source.STATEMENTS] = {node: calls.looked_at(node) for node in counters.nodes}
    return found
