"""The report as one HTML file that needs nothing else, for the screen (light and dark) and for paper."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from importlib.resources import files

from analytics.readiness import Readiness, Rule, Verdict
from analytics.report_model import MARKS, UNSEEN, USE_HEADINGS, Judged, Report, facts_of, use_cells

_CLASSES = {Verdict.READY: "ready", Verdict.NOT_READY: "not-ready", Verdict.UNKNOWN: "unknown"}
_SIGNS = {True: "✓", False: "✗", None: "?"}
_RULE_CLASSES = {True: "ready", False: "not-ready", None: "unknown"}


def as_html(report: Report) -> str:
    """Render the report."""
    style = (files("analytics") / "report.css").read_text(encoding="utf-8")
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{escape(report.title)}</title>",
            f"<style>\n{style}</style></head><body><main>",
            *_body(report),
            "</main></body></html>\n",
        ]
    )


def _body(report: Report) -> Iterator[str]:
    yield f"<header><h1>{escape(report.title)}</h1>"
    yield f"<p class='lead'>{escape(report.summary)}</p>"
    as_of = f"{report.server}, as of {report.made_at:%Y-%m-%d %H:%M:%S} UTC"
    yield f"<p class='quiet'>{escape(as_of)}</p></header>"
    if report.elements:
        yield from _overview(report)
    for number, judged in enumerate(report.elements):
        yield from _element(number, judged, report)
    yield "<section><h2>What is never seen</h2><ul>"
    yield from (f"<li>{escape(line)}</li>" for line in UNSEEN)
    yield "</ul></section><section><h2>Policy</h2>"
    yield from _table("policy", ("key", "value"), report.policy)
    yield "</section>"


def _overview(report: Report) -> Iterator[str]:
    yield "<div class='scroll'><table class='overview'><thead><tr>"
    yield "<th>element</th><th>verdict</th><th>uses</th><th>what is in the way</th></tr></thead><tbody>"
    for number, judged in enumerate(report.elements):
        found = judged.readiness
        uses = sum(use.uses for use in judged.uses)
        reasons = "<br>".join(escape(reason) for reason in found.reasons) or "nothing"
        yield (
            f"<tr><td><a href='#e{number}'>{escape(str(found.element))}</a></td><td>{_badge(found)}</td>"
            f"<td>{uses:,}</td><td>{reasons}</td></tr>"
        )
    yield "</tbody></table></div>"


def _element(number: int, judged: Judged, report: Report) -> Iterator[str]:
    found = judged.readiness
    yield f"<section id='e{number}'><h2>{escape(str(found.element))} {_badge(found)}</h2><dl>"
    for name, value in facts_of(found, report.made_at):
        yield f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>"
    yield "</dl><ul class='rules'>"
    yield from (_rule(rule) for rule in found.rules)
    yield "</ul>"
    if found.notes:
        yield "<p class='quiet'>Know besides: " + escape("; ".join(found.notes)) + ".</p>"
    if judged.uses:
        yield "<h3>Uses since the rename</h3>"
        yield from _table("uses", USE_HEADINGS, (use_cells(use) for use in judged.uses))
    else:
        yield "<p class='quiet'>No use seen since the rename.</p>"
    yield "</section>"


def _rule(rule: Rule) -> str:
    sign = f"<span class='sign' title='{MARKS[rule.met]}'>{_SIGNS[rule.met]}</span>"
    finding = f"<span title='{escape(rule.name)}'>{escape(rule.finding)}</span>"
    source = f"<span class='quiet'>({escape(rule.source)})</span>"
    return f"<li class='{_RULE_CLASSES[rule.met]}'>{sign}<span>{finding} {source}</span></li>"


def _badge(found: Readiness) -> str:
    return f"<span class='badge {_CLASSES[found.verdict]}'>{escape(found.verdict)}</span>"


def _table(name: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    heads = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    yield f"<div class='scroll'><table class='{name}'><thead><tr>{heads}</tr></thead><tbody>"
    for row in rows:
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in row)
        yield f"<tr>{cells}</tr>"
    yield "</tbody></table></div>"
