"""One element: its verdict rule by rule, who uses it with which statement, what the catalog says of it."""

import shlex
from collections import defaultdict
from datetime import datetime

import streamlit as st

from analytics.sentences import count, duration
from analytics.usage import UseGroup
from catalog.elements import Element
from catalog.errors import ElementSyntaxError
from catalog.terminal import size
from dashboard import charts
from dashboard.data import cached_detail, cached_overview, config_path, default_since
from dashboard.model import AtticRow, ElementDetail, Overview
from dashboard.words import (
    KIND_ICONS,
    ago,
    answer_badge,
    at,
    between,
    outcome_badge,
    plain,
    verdict_badge,
)
from ingest.schemas import Source

_PARAMETER = "element"
_STATEMENTS_SHOWN = 10


def show() -> None:
    """Draw the page."""
    overview = cached_overview(config_path())
    element = _choose(overview)
    if element is None:
        return
    row = overview.row(element)
    names = tuple(map(str, row.names)) if row else (str(element),)
    since = (row.since if row else None) or default_since(overview.read_at)
    detail = cached_detail(config_path(), names, since, overview.read_at)
    _head(element, row, overview, detail)
    left, right = st.columns([5, 3], gap="large")
    with left:
        if row and row.readiness:
            _rules(row)
        _timeline(row, detail)
        _uses(detail)
    with right:
        if row and row.entry:
            _facts(row, overview)
            _way_back(row)


def _choose(overview: Overview) -> Element | None:
    """The element of the address, or else the first of the attic; the choice goes back into the address."""
    known = [str(row.element) for row in (*overview.rows, *overview.restored)]
    asked = st.query_params.get(_PARAMETER)
    if asked is not None:
        try:
            asked = str(Element.parse(asked))
        except ElementSyntaxError as error:
            st.error(plain(str(error)), icon=":material/error:")
            asked = None
    if asked and asked not in known:
        known.insert(0, asked)
    if not known:
        st.title("Element")
        st.markdown("Nothing is in the attic yet; the overview says what to run first.")
        st.page_link("views/overview.py", label="Overview")
        return None
    chosen = st.selectbox("Element", known, index=known.index(asked) if asked else 0)
    if chosen != st.query_params.get(_PARAMETER):
        st.query_params[_PARAMETER] = chosen
    return Element.parse(chosen)


def _head(element: Element, row: AtticRow | None, overview: Overview, detail: ElementDetail) -> None:
    st.title(f"{KIND_ICONS[element.kind]} {plain(element.path)}")
    if overview.notice:
        st.warning(plain(overview.notice), icon=":material/cloud_off:")
    st.markdown(_sentence(row) if row else _stranger(element, overview, detail))


def _stranger(element: Element, overview: Overview, detail: ElementDetail) -> str:
    """What can be said of an element that the attic does not know; that is never that it is unused."""
    name, since = plain(str(element)), f"since {at(detail.since)} UTC"
    place = "may or may not be in the attic" if overview.notice else "is not in the attic and was not"
    if detail.hourly:
        last = f"the last one {ago(detail.hourly.last_at, detail.until)}"
        return f"{name} {place}. The logs show {count(detail.hourly.uses, 'use')} {since}, {last}."
    if all(found.source is not Source.LOG for found in detail.coverage):
        return f"{name} {place}. No log of all statements was read {since}: its uses could not be seen."
    return f"{name} {place}. No logged statement names it {since}; uses that no statement names stay unseen."


def _sentence(row: AtticRow) -> str:
    if row.entry and row.entry.restored_at:
        return f":blue-badge[:material/undo: rolled back] since {at(row.entry.restored_at)} UTC"
    badge = verdict_badge(row.verdict)
    if row.readiness is None:
        return f"{badge} The database did not answer, so nobody can judge. Below is what the evidence tells."
    broken = sum(rule.met is False for rule in row.readiness.rules)
    unknown = sum(rule.met is None for rule in row.readiness.rules)
    parts = [f"{count(broken, 'rule')} not met"] if broken else []
    parts += [f"{count(unknown, 'rule')} cannot be known"] if unknown else []
    earliest = (
        f" Earliest {at(row.readiness.earliest)} UTC, if nobody uses it until then."
        if row.readiness.earliest
        else ""
    )
    return f"{badge} {', '.join(parts) or 'every rule is met'}.{earliest}"


def _rules(row: AtticRow) -> None:
    assert row.readiness is not None
    st.subheader("Rules")
    st.table(
        {
            "Rule": [f"**{plain(rule.name)}**" for rule in row.readiness.rules],
            "Answer": [answer_badge(rule.met) for rule in row.readiness.rules],
            "Finding": [
                f"{plain(rule.finding)} :gray[({plain(rule.source)})]" for rule in row.readiness.rules
            ],
        },
        border="horizontal",
        hide_index=True,
    )


def _timeline(row: AtticRow | None, detail: ElementDetail) -> None:
    shown = detail.shown
    st.subheader(f"Uses per {shown.unit}")
    marks = [charts.Mark(row.entry.deprecated_at, "renamed")] if row and row.entry else []
    if row and row.entry and row.entry.restored_at:
        marks.append(charts.Mark(row.entry.restored_at, "rolled back"))
    gaps = detail.coverage[0].gaps
    st.altair_chart(charts.uses(detail.timeline, shown, gaps=gaps, marks=marks), width="stretch")
    st.altair_chart(charts.coverage_strip(detail.coverage, shown), width="stretch")
    blind = "Grey, and a bracket below: no log was read, so a use could not have been seen. " if gaps else ""
    st.caption(f"{blind}Times are UTC.")


def _uses(detail: ElementDetail) -> None:
    st.subheader("Who uses it")
    if not detail.groups:
        seen = any(found.covered_seconds for found in detail.coverage)
        st.markdown(f"{'No use was seen' if seen else 'No log was read'} since {at(detail.since)} UTC.")
        return
    by_statement: dict[str | None, list[UseGroup]] = defaultdict(list)
    for group in detail.groups:
        by_statement[group.statement_id].append(group)
    for groups in list(by_statement.values())[:_STATEMENTS_SHOWN]:
        _statement(groups, detail.until)
    if (left_out := len(by_statement) - _STATEMENTS_SHOWN) > 0:
        st.caption(f"{count(left_out, 'more statement')}: pgattic usage shows all.")


def _statement(groups: list[UseGroup], now: datetime) -> None:
    with st.container(border=True, gap="xsmall"):
        for group in groups:
            st.markdown(_user(group, now))
        text = groups[0].statement
        if text:
            st.code(text, language="sql", wrap_lines=True)
        else:
            st.caption("The log line has no statement.")


def _user(group: UseGroup, now: datetime) -> str:
    who = f"**{plain(group.application or 'no application name')}**"
    parts = [
        f"role {plain(group.role)}" if group.role else "",
        f"from {plain(group.client)}" if group.client else "",
        f"through {plain(group.via)}" if group.via else "",
        "by SELECT \\*" if group.implicit else "",
        "could mean another element" if group.ambiguous else "",
    ]
    times = f"{count(group.uses, group.operation if group.operation != 'ddl' else 'change')}"
    when = f"{times}, {between(group.first_at, group.last_at)}, {ago(group.last_at, now)}"
    whence = " · ".join(part for part in parts if part)
    return f"{outcome_badge(group.outcome, group.sqlstate)} {who} {whence}  \n:gray[{when}]"


def _facts(row: AtticRow, overview: Overview) -> None:
    assert row.entry is not None
    st.subheader("Facts")
    facts, entry = row.facts, row.entry
    migration = overview.migration(entry.migration_id)
    present = entry.restored_at is None
    pairs = {
        "Former name" if present else "Name": plain(row.element.path),
        "Since": f"{at(entry.deprecated_at)} UTC",
        "Rolled back": f"{at(entry.restored_at)} UTC" if entry.restored_at else None,
        "In the attic": duration((entry.restored_at or overview.read_at) - entry.deprecated_at),
        "Migration": plain(entry.migration_id),
        "Applied by": plain(migration.applied_by) if migration else None,
        "Reason": plain(entry.reason),
        "Owner": plain(facts.owner) if facts and facts.owner else None,
        "Size": size(facts.size_bytes) if facts and facts.size_bytes is not None else None,
        "Rows": f"about {facts.estimated_rows:,}" if facts and facts.estimated_rows else None,
        "Definition": plain(facts.definition) if facts and facts.definition else None,
        "Backup": f"proved {at(entry.backup_proved_at)} UTC" if entry.backup_proved_at else "none proved",
    }
    st.markdown("Called now:" if present else "In the attic it was called:")
    st.code(entry.deprecated_name, language=None, wrap_lines=True)
    shown = {key: value for key, value in pairs.items() if value is not None}
    st.table(
        {"Fact": [f":gray[{key}]" for key in shown], "Value": list(shown.values())},
        border="horizontal",
        hide_index=True,
        hide_header=True,
    )


def _way_back(row: AtticRow) -> None:
    if row.entry is None or not row.entry.is_in_attic:
        return
    st.subheader("The way back")
    st.markdown("This element alone:")
    st.code(_command("--element", str(row.element)), language="bash", wrap_lines=True)
    st.markdown("Its whole migration:")
    st.code(_command(row.entry.migration_id), language="bash", wrap_lines=True)


def _command(*arguments: str) -> str:
    config = config_path()
    options = ["--config", str(config)] if config else []
    return shlex.join(["pgattic", *options, "rollback", *arguments])


if __name__ == "__main__":
    show()
