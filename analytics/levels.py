"""Levels of monitoring: which one a server is at, and what the next one takes.

A pure function of the server's settings, of what is armed in the attic, and of the configuration. The figures
of cost are the part of its throughput that a server keeps; `benchmarks/overhead.py` measures it.
"""

from collections.abc import Iterator
from enum import StrEnum

from analytics.health.armed import Armed
from analytics.health.check import RELOAD, RESET, Check, Facts, resets, setting
from analytics.health.log import hiding
from analytics.health.sources import ALL, samples, shows_all, source_checks

_SAMPLE = (setting("log_min_duration_sample", "0"), setting("log_statement_sample_rate", "0.01"), RELOAD)


class Level(StrEnum):
    """How much of what happens is seen, from little to much."""

    BLIND = "blind"
    MINIMAL = "minimal"
    SENSORS = "sensors"
    SAMPLED = "sampled"
    FULL = "full"


# What each level costs, and what one gets for it.
COSTS = {
    Level.BLIND: "costs nothing",
    Level.MINIMAL: "costs nothing: nothing on the server is changed",
    Level.SENSORS: "costs other statements nothing that could be measured (with pgaudit: keeps 0.98);"
    " one that uses a watched element pays 16 to 60 µs",
    Level.SAMPLED: "keeps 0.93 to 0.98 of the throughput of the fastest statements at a rate of 0.01",
    Level.FULL: "keeps 0.6 of the throughput of the fastest statements (0.5 prepared), and writes 250 to 290"
    " bytes a transaction",
}
_SHOWS = {
    Level.BLIND: "errors or counters are missing: no use is seen for sure",
    Level.MINIMAL: "errors on former names, and counters of tables and indexes; who reads or writes by other"
    " names is not told",
    Level.SENSORS: "errors, counters, and every statement that sensors on the attic can see, with who ran it",
    Level.SAMPLED: "the same, and a part of all statements: what shows up is a use, absence proves nothing",
    Level.FULL: "every statement is logged; columns can be judged before they are renamed",
}


def level_of(facts: Facts, armed: Armed, *, wants_sensors: bool) -> Level:
    """The level that a server is at."""
    if hiding(facts) or facts["overridden"] or facts["track_counts"] != "on":
        return Level.BLIND
    if shows_all(facts) and not facts["statements_overridden"]:
        return Level.FULL
    if samples(facts) or shows_all(facts):
        return Level.SAMPLED
    # An empty attic has nothing to arm; what comes into it will be.
    is_armed = bool(armed.kinds) if armed.entries else wants_sensors
    # Elements that can have none need none.
    nothing_to_arm = bool(armed.entries) and not (armed.bare or armed.in_part) and wants_sensors
    return Level.SENSORS if is_armed or nothing_to_arm else Level.MINIMAL


def level_checks(facts: Facts, armed: Armed, *, wants_sensors: bool) -> Iterator[Check]:
    """The level, and what each source can and cannot see there."""
    level = level_of(facts, armed, wants_sensors=wants_sensors)
    finding = f"{level}: {_SHOWS[level]}; {COSTS[level]}"
    todo, lines = _next(level, facts, wants_sensors=wants_sensors)
    yield Check("level", None if level is Level.BLIND else True, finding, todo, lines)
    yield from source_checks(facts, armed, wants_sensors=wants_sensors)


def _next(level: Level, facts: Facts, *, wants_sensors: bool) -> tuple[str | None, tuple[str, ...]]:
    """How to get to the level after this one: words, and lines to copy."""
    lines: tuple[str, ...]
    match level:
        case Level.BLIND:
            return "Set right what is missing above", ()
        case Level.MINIMAL:
            first = "run" if wants_sensors else 'set sensors.level = "sensors" and run'
            how = f"{first} `pgattic arm`: no setting, no reload, no restart"
            return f"For {Level.SENSORS}: {how} ({COSTS[Level.SENSORS]})", ()
        case Level.SENSORS:
            target, lines = Level.SAMPLED, _SAMPLE
        case Level.SAMPLED if shows_all(facts):
            words = f"For {Level.FULL}: {RESET[:1].lower()}{RESET[1:]}"
            return words, resets(facts, "statements_overridden")
        case Level.SAMPLED:
            target, lines = Level.FULL, ALL
        case Level.FULL:
            return None, ()
    return f"For {target}, which {COSTS[target]}:", lines
