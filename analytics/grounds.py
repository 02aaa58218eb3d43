"""What elements are judged on: the database as it is, the evidence, the policy, and the moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from analytics.store import Evidence
from catalog.counters import CounterSample, read_counters
from catalog.database import Database
from catalog.policy import PolicySettings
from catalog.reading import read_snapshot
from catalog.settings import Settings
from catalog.snapshot import Snapshot

PRIMARY = "primary"


@dataclass(frozen=True)
class Grounds:
    """All that a verdict or a scan is given.

    `nodes` are the servers to watch; the first one is the primary, whose catalog and counters those are.
    """

    snapshot: Snapshot
    counters: CounterSample
    evidence: Evidence
    policy: PolicySettings
    now: datetime
    nodes: Sequence[str] = (PRIMARY,)


def read_grounds(db: Database, settings: Settings, evidence: Evidence, now: datetime) -> Grounds:
    """Read the catalog and the counters, and put them with the rest; raises DatabaseError."""
    return Grounds(read_snapshot(db), read_counters(db), evidence, settings.policy, now, settings.node_names)
