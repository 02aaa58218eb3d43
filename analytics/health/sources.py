"""Each source of evidence on a server: whether it is on, what it sees and what not, how to turn it on."""

from collections.abc import Iterator
from dataclasses import replace

from analytics.health.armed import Armed
from analytics.health.check import RELOAD, RESET, Check, Facts, is_standby, on_primary, resets, setting
from analytics.health.libraries import Loading, at_connection, at_start, is_offered
from analytics.health.log import hiding
from analytics.sentences import count, listed
from catalog.elements import quote_identifier

ALL = (setting("log_statement", "'all'"), RELOAD)
_TRACK = setting("pg_stat_statements.track", "'all'")
# What pg_stat_statements needs to count: a setting, a value with which it counts too little, a better one.
_COUNTS = (
    ("pg_stat_statements.track", "none", "'all'"),
    ("pg_stat_statements.track_utility", "off", "on"),
    ("compute_query_id", "off", "'auto'"),
)
_AUDITOR = "attic_auditor"
_AT_MOST = 3


def source_checks(facts: Facts, armed: Armed, *, wants_sensors: bool) -> Iterator[Check]:
    """What each source can and cannot see."""
    yield _error(facts)
    yield _counter(facts)
    yield _statements(facts)
    yield _sensor_of_standby(armed) if is_standby(facts) else _sensor(armed, wants_sensors=wants_sensors)
    yield _audit(facts, armed)
    yield _plan(facts)
    yield _log(facts)


def shows_all(facts: Facts) -> bool:
    """Whether the log has every statement, of the sessions without a setting of their own."""
    return facts["log_statement"] == "all" or facts["log_min_duration_statement"] == "0"


def samples(facts: Facts) -> bool:
    """Whether the log has a part of all statements."""
    by_statement = facts["log_min_duration_sample"] == "0" and float(facts["log_statement_sample_rate"]) > 0
    return by_statement or float(facts["log_transaction_sample_rate"]) > 0


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
    finding = (
        "on: sees that a table, an index or a sequence was read or written at all; not who did, nor columns,"
        " constraints, enums, views"
    )
    return Check(name, True, finding, None)


def _statements(facts: Facts) -> Check:
    name = "source statements"
    if "pg_stat_statements.track" not in facts:
        finding = (
            "off: pg_stat_statements is not loaded; views, enums and columns by their new names are not seen"
            " without a log of every statement"
        )
        loading = at_start(facts, "pg_stat_statements")
        check = Check(name, None, finding, "It keeps 0.98, and takes a restart:")
        return _loaded(check, loading, *_extension(facts), _TRACK, RELOAD)
    if facts.get("statements_extension") == "false":
        finding = "off: pg_stat_statements is loaded, but has no views in this database"
        return Check(name, None, finding, "Make them:", _extension(facts))
    if facts.get("sees_texts") == "false":
        finding = "the texts of other roles' statements are hidden from this role"
        line = f"GRANT pg_read_all_stats TO {quote_identifier(facts.get('role', '…'))};"
        return Check(name, None, finding, "Let it see them:", on_primary(facts, line))
    found = _counts_too_little(name, facts)
    if found:
        return found
    finding = (
        "on: sees every call of a statement that uses an element, by any name, through views and functions"
        " too, and the role that made it; not when exactly, nor from where; no constants, so no enum values"
        " and no sequences"
    )
    if facts["pg_stat_statements.track"] == "all":
        return Check(name, True, finding, None)
    finding += "; where functions put statements together it proves nothing (track = top)"
    return Check(name, None, finding, "Where there are such functions:", (_TRACK, RELOAD))


def _counts_too_little(name: str, facts: Facts) -> Check | None:
    wrong = [(each, better) for each, bad, better in _COUNTS if facts.get(each) == bad]
    taken_back = resets(facts, "calls_not_counted")
    told = [*(f"{each} = {facts[each]}" for each, _ in wrong), facts.get("calls_not_counted", "")]
    if not any(told):
        return None
    finding = f"not every statement is counted: {', '.join(filter(None, told))}"
    lines = (*(setting(each, better) for each, better in wrong), *[RELOAD][: len(wrong)], *taken_back)
    return Check(name, None, finding, RESET if not wrong else "Have all of them counted:", lines)


def _extension(facts: Facts) -> tuple[str, ...]:
    """The line that makes the views of pg_stat_statements."""
    if facts.get("statements_extension") == "true":
        return ()
    where = f"in database {facts.get('database', '…')}"
    return on_primary(facts, f"CREATE EXTENSION pg_stat_statements;  -- {where}")


def _loaded(check: Check, loading: Loading, *lines: str) -> Check:
    """The check with the lines that load a library, and what only works once it is loaded."""
    if loading.obstacle:
        return replace(check, todo=loading.obstacle, lines=loading.lines)
    return replace(check, lines=(*loading.lines, *lines))


def _sensor(armed: Armed, *, wants_sensors: bool) -> Check:
    name = "source sensor"
    sees = (
        "sees every write of an armed table by any name, every read by the former name of an armed view; not"
        " reads of a renamed table by its other names, nor indexes, constraints, enums, sequences"
    )
    if armed.in_part:
        finding = f"{_on(armed)}; not on all of {count(len(armed.in_part), 'element')}: "
        return Check(name, False, f"{finding}{listed(armed.in_part, _AT_MOST)}", "Run `pgattic arm`")
    if armed.bare:
        without = f"{count(len(armed.bare), 'element')} without: {listed(armed.bare, _AT_MOST)}"
        return Check(name, None, f"{_on(armed)}; {without}; it {sees}", "Run `pgattic arm`")
    if armed.kinds:
        return Check(name, True, f"{_on(armed)}; {sees}", None)
    if wants_sensors:
        return Check(name, True, f"nothing to arm now, `apply` does; {sees}", None)
    todo = 'Set sensors.level = "sensors", and run `pgattic arm` where something is in the attic'
    return Check(name, None, 'off (sensors.level = "minimal")', todo)


def _sensor_of_standby(armed: Armed) -> Check:
    """Sensors are armed on the primary; here only those can speak that hear reads."""
    finding = (
        f"as on the primary ({_on(armed)}): canaries speak here too, grants where pgaudit is on here;"
        " triggers have nothing to hear, for nothing is written here"
    )
    return Check("source sensor", True, finding, None)


def _on(armed: Armed) -> str:
    if not armed.kinds:
        return "none armed"
    return "armed: " + ", ".join(f"{kind} on {count(armed.number(kind), 'element')}" for kind in armed.kinds)


def _audit(facts: Facts, armed: Armed) -> Check:
    name = "source audit"
    if "pgaudit.role" not in facts:
        finding = "off: pgaudit is not loaded; reads by views and functions are only counted"
        return _with_pgaudit(Check(name, None, finding, None), facts)
    if facts.get("audit_overridden"):
        finding = f"not for all sessions ({facts['audit_overridden']}): it proves nothing"
        return Check(name, None, finding, RESET, resets(facts, "audit_overridden"))
    if not facts["pgaudit.role"]:
        finding = "off: pgaudit is loaded, and pgaudit.role names no role"
        return Check(name, None, finding, f"Name one{_as_on_primary(facts)}:", _auditor(facts))
    if facts["pgaudit.log_level"] != "log" and facts.get("pgaudit.log_client") == "on":
        finding = f"pgaudit.log_client is on, and pgaudit.log_level {facts['pgaudit.log_level']}: "
        lines = (setting("pgaudit.log_level", "'log'"), RELOAD)
        return Check(name, None, f"{finding}its lines may be lost", "Have them in the log:", lines)
    granted = count(armed.number("grant"), "element")
    finding = (
        f"on: {granted} granted to {facts['pgaudit.role']}; sees reads and writes of them, through views and"
        " functions too; not TRUNCATE, REFRESH, LOCK, ANALYZE, and of a column neither DELETE nor whole rows"
    )
    return Check(name, True, finding, None)


def _with_pgaudit(check: Check, facts: Facts) -> Check:
    """The check with the lines that load pgaudit; they leave standing what other checks' lines load."""
    also = "pg_stat_statements"
    if is_offered(facts, also) and f"{also}.track" not in facts:
        loading = at_start(facts, also, "pgaudit")
        kept = f" ({also} is in the line so that the one of `source statements` is not undone)"
    else:
        loading, kept = at_start(facts, "pgaudit"), ""
    todo = f"It keeps 0.98, and takes a restart{kept}{_as_on_primary(facts)}:"
    return _loaded(replace(check, todo=todo), loading, *_auditor(facts))


def _auditor(facts: Facts) -> tuple[str, ...]:
    """The lines that give pgaudit a role, once it is loaded."""
    named = (setting("pgaudit.role", f"'{_AUDITOR}'"), RELOAD)
    if is_standby(facts):
        return named
    made = () if facts.get(_AUDITOR) == "true" else (f"CREATE ROLE {_AUDITOR};",)
    return (*made, *named, "-- then, in a shell: pgattic arm")


def _as_on_primary(facts: Facts) -> str:
    return "; the role has to be that of the primary" if is_standby(facts) else ""


def _plan(facts: Facts) -> Check:
    threshold = facts.get("auto_explain.log_min_duration")
    if threshold is None or threshold == "-1":
        finding = "off: which index served whom is not told; counters tell that one did"
        todo = "It keeps 0.97 (0.5 at a rate of 1), and begins with the sessions that begin after it:"
        check = Check("source plan", None, finding, todo)
        rate = setting("auto_explain.sample_rate", "0.01")
        settings = (setting("auto_explain.log_min_duration", "0"), rate, RELOAD)
        if threshold is not None:
            return replace(check, lines=settings)
        loading = at_connection(facts, "auto_explain")
        # Up to 16 a setting can be made only where its library is loaded; a superuser may load this one.
        here = replace(loading, lines=("LOAD 'auto_explain';", *loading.lines))
        return _loaded(check, loading if loading.obstacle else here, *settings)
    rate_now = float(facts["auto_explain.sample_rate"])
    part = "each statement" if rate_now >= 1 else f"a part of {rate_now:g} of all statements"
    slow = "" if threshold == "0" else f" that takes {threshold} ms or longer"
    nested = "" if facts["auto_explain.log_nested_statements"] == "on" else ", but not within functions"
    finding = f"on: tables and indexes that served {part}{slow}{nested}; no definitions, no COPY of a table"
    return Check("source plan", True, finding, None)


def _log(facts: Facts) -> Check:
    """The statement log; any level of it is allowed."""
    name = "statement log"
    if shows_all(facts):
        if facts["statements_overridden"]:
            finding = f"full, but not for all sessions ({facts['statements_overridden']})"
            return Check(name, None, finding, RESET, resets(facts, "statements_overridden"))
        unseen = "what views, functions and triggers touch follows from the catalog only"
        return Check(name, True, f"full: every statement is logged; {unseen}", None)
    if samples(facts):
        finding = "sampled: shows who uses what, proves no absence; columns cannot be judged by scan"
    elif facts["log_statement"] == "mod":
        finding = "writes only (log_statement = mod): reads are not named; columns cannot be judged by scan"
    elif int(facts["log_min_duration_statement"]) > 0:
        slow = facts["log_min_duration_statement"]
        finding = f"slow statements only ({slow} ms): proves no absence; columns cannot be judged by scan"
    else:
        finding = "minimal: errors on former names and counters only; columns cannot be judged by scan"
    return Check(name, None, finding, "Where the load allows it, to judge columns (keeps 0.6):", ALL)
