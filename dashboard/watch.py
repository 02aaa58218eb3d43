"""When a use could have been seen: a line of time for each source and server that had something to watch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from analytics.coverage import Coverage, Watched, summarise
from analytics.timelines import Line, timeline
from catalog.policy import OR
from dashboard.words import SOURCE_WORDS
from ingest.schemas import Source


@dataclass(frozen=True)
class Watch:
    """When a use could have been seen; `log` is when the logs of all servers showed failed statements."""

    lines: tuple[Line, ...]
    log: Coverage

    @property
    def sources(self) -> frozenset[Source]:
        """The sources that watched anything."""
        return frozenset(Source(line.source) for line in self.lines if line.fraction > 0)

    @property
    def servers(self) -> frozenset[str]:
        """The servers that were to be watched."""
        return frozenset(line.node for line in self.lines)

    def name(self, line: Line) -> str:
        """What a line is called: its source, and its server where there are several."""
        server = f" on {line.node}" if len(self.servers) > 1 else ""
        return f"{SOURCE_WORDS[Source(line.source)]}{server}"


def worth_showing(lines: Sequence[Line], wanted: Iterable[str]) -> tuple[Line, ...]:
    """The lines of sources that watched any server, and of those that were wanted and did not.

    `wanted` are sources as the policy has them: of `counter|audit` one is enough, so where one of them
    watched the other is not missed.
    """
    watched = {line.source for line in lines if line.fraction > 0}
    missed = {part for one in wanted if watched.isdisjoint(one.split(OR)) for part in one.split(OR)}
    return tuple(line for line in lines if line.source in watched | missed)


def watch(watched: Watched, since: datetime, until: datetime, wanted: Iterable[str]) -> Watch:
    """What watched between two moments, for each source and server that matters."""
    lines = timeline(watched, since, until, ()).lines
    log = summarise(Source.ERROR, since, until, watched.get(Source.ERROR, {}))
    return Watch(worth_showing(lines, wanted), log)
