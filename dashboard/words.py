"""How values read on a page: verdicts, answers, times, and names that Markdown must show as they are."""

import re
from datetime import datetime

from analytics.readiness import Verdict
from analytics.sentences import duration
from catalog.elements import Kind
from ingest.schemas import Source

KIND_ICONS = {
    Kind.TABLE: ":material/table:",
    Kind.COLUMN: ":material/view_column:",
    Kind.INDEX: ":material/sort:",
    Kind.CONSTRAINT: ":material/rule:",
    Kind.ENUM: ":material/list:",
    Kind.ENUM_VALUE: ":material/label:",
    Kind.VIEW: ":material/visibility:",
    Kind.MATVIEW: ":material/table_view:",
    Kind.SEQUENCE: ":material/tag:",
}

# What a source of evidence sees; for those that are no log, where it looks.
SOURCE_WORDS = {
    Source.ERROR: "failed statements",
    Source.LOG: "logged statements",
    Source.SENSOR: "sensors",
    Source.AUDIT: "audit lines",
    Source.PLAN: "logged plans",
    Source.COUNTER: "counters",
    Source.STATEMENTS: "counted statements",
}
# How to read the chart of them.
COVERAGE_WORDS = "Bar: a use would have been seen there. Bracket: it would not."

# What the SQLSTATE of a failed use means to somebody who has no manual at hand.
_SQLSTATE_WORDS = {
    "42P01": "table not found",
    "42703": "column not found",
    "42704": "object not found",
    "22P02": "value not accepted",
}

# Never by colour alone: every badge has its word, and an icon of its own shape.
_VERDICT_BADGES = {
    Verdict.READY: ("green", ":material/check_circle:"),
    Verdict.NOT_READY: ("orange", ":material/block:"),
    Verdict.UNKNOWN: ("gray", ":material/help:"),
}
_ANSWER_BADGES = {
    True: ("green", ":material/check:", "met"),
    False: ("orange", ":material/close:", "not met"),
    None: ("gray", ":material/question_mark:", "cannot be known"),
}
_SEVERITY_BADGES = {"critical": ("red", ":material/error:"), "warning": ("orange", ":material/warning:")}

# CommonMark lets every punctuation mark of ASCII be escaped, so none has to be judged.
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
# A command in a sentence of ours. No bracket: it would end the colour or the size around the sentence.
_COMMAND = re.compile(r"(`pgattic [^`\[\]]+`)")


def plain(text: str) -> str:
    """Escape a text for Markdown, so that a name cannot become a format, a link or an icon."""
    return _PUNCTUATION.sub(r"\\\1", " ".join(text.split()))


def prose(text: str) -> str:
    """Escape a sentence like `plain`, but show the commands of pgattic in it as code."""
    parts = _COMMAND.split(" ".join(text.split()))
    return "".join(part if _COMMAND.fullmatch(part) else _PUNCTUATION.sub(r"\\\1", part) for part in parts)


def verdict_badge(verdict: Verdict) -> str:
    """A verdict as a badge in Markdown."""
    color, icon = _VERDICT_BADGES[verdict]
    return f":{color}-badge[{icon} {verdict.value}]"


def answer_badge(met: bool | None) -> str:
    """Whether a rule is met, as a badge in Markdown."""
    color, icon, word = _ANSWER_BADGES[met]
    return f":{color}-badge[{icon} {word}]"


def severity_badge(severity: str) -> str:
    """How grave an alert is, as a badge in Markdown."""
    color, icon = _SEVERITY_BADGES.get(severity, ("blue", ":material/info:"))
    return f":{color}-badge[{icon} {plain(severity)}]"


def outcome_badge(outcome: str, sqlstate: str | None) -> str:
    """How a use ended, as a badge in Markdown."""
    if outcome != "error":
        return ":blue-badge[:material/done: succeeded]"
    why = _SQLSTATE_WORDS.get(sqlstate or "", "")
    return f":orange-badge[:material/close: failed{f': {why}' if why else ''}]"


def ago(moment: datetime, now: datetime) -> str:
    """How long before `now` a moment was."""
    return f"{duration(now - moment)} ago"


def at(moment: datetime) -> str:
    """A moment in UTC, to the minute, as it stands beside others on a page."""
    return f"{moment:%Y-%m-%d %H:%M}"


def between(first: datetime, last: datetime) -> str:
    """From when to when, saying what both have in common once."""
    if first.replace(second=0, microsecond=0) == last.replace(second=0, microsecond=0):
        return at(first)
    if first.date() == last.date():
        return f"{at(first)} to {last:%H:%M}"
    return f"{at(first)} to {at(last)}"
