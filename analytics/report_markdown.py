"""The report as Markdown, for a ticket or a merge request."""

from collections.abc import Iterable, Iterator, Sequence

from analytics.report_model import MARKS, UNSEEN, USE_HEADINGS, Judged, Report, facts_of, use_cells


def as_markdown(report: Report) -> str:
    """Render the report."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"# {_text(report.title)}"
    yield ""
    yield f"{_text(report.summary)} {report.server}, as of {report.made_at:%Y-%m-%d %H:%M:%S} UTC."
    for judged in report.elements:
        yield from _element(judged, report)
    yield from ("", "## What is never seen", "")
    yield from (f"- {_text(line)}" for line in UNSEEN)
    yield from ("", "## Policy", "")
    yield from _table(("key", "value"), report.policy)


def _element(judged: Judged, report: Report) -> Iterator[str]:
    found = judged.readiness
    yield from ("", f"## {_text(str(found.element))}: {found.verdict}", "")
    yield from (f"- {name}: {_text(value)}" for name, value in facts_of(found, report.made_at))
    yield ""
    rules = ((rule.name, MARKS[rule.met], rule.finding, rule.source) for rule in found.rules)
    yield from _table(("rule", "met", "finding", "source"), rules)
    yield ""
    if found.notes:
        yield from ("Know besides:", "", *(f"- {_text(note)}" for note in found.notes), "")
    if judged.uses:
        yield from _table(USE_HEADINGS, (use_cells(use) for use in judged.uses))
    else:
        yield "No use seen since the rename."


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield f"|{'---|' * len(headings)}"
    for row in rows:
        yield f"| {' | '.join(_text(cell) for cell in row)} |"


_ESCAPES = str.maketrans({c: f"\\{c}" for c in "\\`*_[]<>|#$"} | {"\n": " ", "\r": " "})


def _text(value: str) -> str:
    return value.translate(_ESCAPES)
