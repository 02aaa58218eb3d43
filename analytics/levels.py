"""Levels of monitoring: which one a server is at, what each source sees there, what the next one takes.

A pure function of the server's settings, of what is armed in the attic, and of the configuration. The figures
of cost are the part of its throughput that a server keeps; `benchmarks/overhead.py` measures it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from analytics.health.check import RELOAD, RESTART, Check, Facts
from analytics.health.log import hiding
from analytics.sentences import count, listed
from catalog.elements import Kind
from catalog.snapshot import AtticEntry

_AT_MOST = 3
# Elements that a trigger, a canary or a grant can be put on; the others are for counters, errors and plans.
_ARMABLE = frozenset({Kind.TABLE, Kind.COLUMN})
_ALL = "ALTER SYSTEM SET log_statement = 'all'"
_SAMPLE = "ALTER SYSTEM SET log_min_duration_sample = 0; ALTER SYSTEM SET log_statement_sample_rate = 0.01"


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


@dataclass(frozen=True)
class Armed:
    """What is in the attic, and on which of it no sensor is armed that could see it."""

    entries: tuple[AtticEntry, ...]

    @classmethod
    def of(cls, attic: Iterable[AtticEntry]) -> "Armed":
        """Of all that is or was in the attic."""
        return cls(tuple(entry for entry in attic if entry.is_in_attic))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of sensors that are armed anywhere."""
        return tuple(sorted({kind for entry in self.entries for kind in entry.sensors}))

    def number(self, kind: str) -> int:
        """On how many elements such a sensor is armed."""
        return sum(kind in entry.sensors for entry in self.entries)

    @property
    def bare(self) -> tuple[str, ...]:
        """Elements that could have a sensor and have none."""
        return tuple(
            str(entry.element)
            for entry in self.entries
            if not entry.sensors and (entry.element.kind in _ARMABLE or entry.shim_oid)
        )


def level_of(facts: Facts, armed: Armed, *, wants_sensors: bool) -> Level:
    """The level that a server is at."""
    if hiding(facts) or facts["overridden"] or facts["track_counts"] != "on":
        return Level.BLIND
    if _shows_all(facts) and not facts["statements_overridden"]:
        return Level.FULL
    if _samples(facts) or _shows_all(facts):
        return Level.SAMPLED
    # An empty attic has nothing to arm; what comes into it will be.
    is_armed = bool(armed.kinds) if armed.entries else wants_sensors
    # Elements that can have none need none.
    nothing_to_arm = bool(armed.entries) and not armed.bare and wants_sensors
    return Level.SENSORS if is_armed or nothing_to_arm else Level.MINIMAL


def level_checks(facts: Facts, armed: Armed, *, wants_sensors: bool) -> Iterator[Check]:
    """The level, and what each source can and cannot see there."""
    level = level_of(facts, armed, wants_sensors=wants_sensors)
    finding = f"{level}: {_SHOWS[level]}; {COSTS[level]}"
    yield Check("level", None if level is Level.BLIND else True, finding, _next(level))
    yield _error(facts)
    yield _counter(facts)
    yield _sensor(armed, wants_sensors=wants_sensors)
    yield _audit(facts, armed)
    yield _plan(facts)
    yield _log(facts)


def _next(level: Level) -> str | None:
    """How to get to the level after this one."""
    match level:
        case Level.BLIND:
            return "Set right what is missing above"
        case Level.MINIMAL:
            lines = 'Set sensors.level = "sensors" and run `pgattic arm`: no setting, no reload, no restart'
            target = Level.SENSORS
        case Level.SENSORS:
            lines, target = f"{_SAMPLE}; {RELOAD}", Level.SAMPLED
        case Level.SAMPLED:
            lines, target = f"{_ALL}; {RELOAD}", Level.FULL
        case Level.FULL:
            return None
    return f"For {target}: {lines} ({COSTS[target]})"


def _error(facts: Facts) -> Check:
    sees = "sees what fails on a former name, within functions too"
    misses = "not what works without the name, nor errors that a function swallows"
    is_on = not hiding(facts) and not facts["overridden"]
    if not is_on:
        return Check("source error", None, "off for some or all sessions", "See `errors are logged`")
    return Check("source error", True, f"on: {sees}; {misses}", None)


def _counter(facts: Facts) -> Check:
    name = "source counter"
    if facts["track_counts"] != "on":
        return Check(name, None, "off", "See `counters`")
    calls = "calls of statements by pg_stat_statements too"
    if "pg_stat_statements.track" not in facts:
        calls = "pg_stat_statements is not loaded, so no calls of statements"
    finding = (
        f"on: sees that a table or an index was read or written at all, {calls}; not who did, nor columns,"
        " constraints, enums, views"
    )
    return Check(name, True, finding, None)


def _sensor(armed: Armed, *, wants_sensors: bool) -> Check:
    name = "source sensor"
    sees = (
        "sees every write of an armed table by any name, every read by the former name of an armed view; not"
        " reads of a renamed table by its other names, nor indexes, constraints, enums, sequences"
    )
    if armed.bare:
        without = f"{count(len(armed.bare), 'element')} without: {listed(armed.bare, _AT_MOST)}"
        return Check(name, None, f"{_on(armed)}; {without}; it {sees}", "pgattic arm")
    if armed.kinds:
        return Check(name, True, f"{_on(armed)}; {sees}", None)
    if wants_sensors:
        return Check(name, True, f"nothing to arm now, `apply` does; {sees}", None)
    todo = 'Set sensors.level = "sensors", and run `pgattic arm` where something is in the attic'
    return Check(name, None, 'off (sensors.level = "minimal")', todo)


def _on(armed: Armed) -> str:
    if not armed.kinds:
        return "none armed"
    return "armed: " + ", ".join(f"{kind} on {count(armed.number(kind), 'element')}" for kind in armed.kinds)


def _audit(facts: Facts, armed: Armed) -> Check:
    name = "source audit"
    if "pgaudit.role" not in facts:
        todo = (
            "Where pgaudit is installed: ALTER SYSTEM SET shared_preload_libraries = '…, pgaudit';"
            " CREATE ROLE attic_auditor;"
            f" ALTER SYSTEM SET pgaudit.role = 'attic_auditor'; {RESTART}; `pgattic arm`"
            " (keeps 0.98)"
        )
        finding = "off: pgaudit is not loaded; reads by views and functions are only counted"
        return Check(name, None, finding, todo)
    if not facts["pgaudit.role"]:
        todo = (
            "CREATE ROLE attic_auditor; ALTER SYSTEM SET pgaudit.role = 'attic_auditor';"
            f" {RELOAD}; `pgattic arm`"
        )
        return Check(name, None, "off: pgaudit is loaded, and pgaudit.role names no role", todo)
    if facts["pgaudit.log_level"] != "log":
        todo = f"ALTER SYSTEM SET pgaudit.log_level = 'log'; {RELOAD}"
        return Check(
            name, None, f"pgaudit.log_level is {facts['pgaudit.log_level']}: its lines are lost", todo
        )
    granted = count(armed.number("grant"), "element")
    finding = (
        f"on: {granted} granted to {facts['pgaudit.role']}; sees reads and writes of them, through views and"
        " functions too; not TRUNCATE, LOCK, ANALYZE, nor DELETE for a column"
    )
    return Check(name, True, finding, None)


def _plan(facts: Facts) -> Check:
    name = "source plan"
    if facts.get("auto_explain.log_min_duration", "-1") == "-1":
        todo = (
            "ALTER SYSTEM SET session_preload_libraries = 'auto_explain'; ALTER SYSTEM SET"
            " auto_explain.log_min_duration = 0; ALTER SYSTEM SET auto_explain.sample_rate = 0.01;"
            f" {RELOAD} (keeps 0.97; 0.5 at a rate of 1)"
        )
        return Check(name, None, "off: which index served whom is not told; counters tell that one did", todo)
    threshold, rate = facts["auto_explain.log_min_duration"], float(facts["auto_explain.sample_rate"])
    part = "each statement" if rate >= 1 else f"a part of {rate:g} of all statements"
    slow = "" if threshold == "0" else f" that takes {threshold} ms or longer"
    nested = "" if facts["auto_explain.log_nested_statements"] == "on" else ", but not within functions"
    finding = f"on: tables and indexes that served {part}{slow}{nested}; no definitions, no COPY of a table"
    return Check(name, True, finding, None)


def _log(facts: Facts) -> Check:
    """The statement log; any level of it is allowed."""
    name = "statement log"
    unseen = "what views, functions and triggers touch follows from the catalog only"
    todo = f"Where the load allows it: {_ALL}; {RELOAD} to judge columns (keeps 0.6)"
    if _shows_all(facts):
        if facts["statements_overridden"]:
            finding = f"full, but not for all sessions ({facts['statements_overridden']})"
            return Check(name, None, finding, "Take those settings back, so that the server's own holds")
        return Check(name, True, f"full: every statement is logged; {unseen}", None)
    if _samples(facts):
        finding = "sampled: shows who uses what, proves no absence; columns cannot be judged by scan"
        return Check(name, None, finding, todo)
    if facts["log_statement"] == "mod":
        finding = "writes only (log_statement = mod): reads are not named; columns cannot be judged by scan"
    elif int(facts["log_min_duration_statement"]) > 0:
        slow = facts["log_min_duration_statement"]
        finding = f"slow statements only ({slow} ms): proves no absence; columns cannot be judged by scan"
    else:
        finding = "minimal: errors on former names and counters only; columns cannot be judged by scan"
    return Check(name, None, finding, todo)


def _shows_all(facts: Facts) -> bool:
    return facts["log_statement"] == "all" or facts["log_min_duration_statement"] == "0"


def _samples(facts: Facts) -> bool:
    by_statement = facts["log_min_duration_sample"] == "0" and float(facts["log_statement_sample_rate"]) > 0
    return by_statement or float(facts["log_transaction_sample_rate"]) > 0
