"""One element: its verdict rule by rule, who uses it with which statement, what the catalog says of it."""

import shlex
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta

import streamlit as st

from analytics.calls import CalledStep, CalledUses
from analytics.counting import Step
from analytics.facts import Facts
from analytics.sentences import count, duration
from analytics.usage import UseGroup
from analytics.verdict import Readiness
from catalog.elements import Element, Kind
from catalog.errors import ElementSyntaxError
from catalog.terminal import size
from dashboard import charts
from dashboard.data import cached_detail, cached_overview, config_path, default_since
from dashboard.model import AtticRow, ElementDetail, Overview
from dashboard.watch import Watch
from dashboard.words import (
    COVERAGE_WORDS,
    KIND_ICONS,
    SOURCE_WORDS,
    ago,
    answer_badge,
    at,
    between,
    outcome_badge,
    plain,
    prose,
    verdict_badge,
)
from ingest.schemas import Source

_PARAMETER = "element"
_STATEMENTS_SHOWN = 10
_GAPS_SHOWN = 10
_STEPS_SHOWN = 10
_SECOND = timedelta(seconds=1)


def show() -> None:
    """Draw the page."""
    overview = cached_overview(config_path())
    element = _choose(overview)
    if element is None:
        return
    row = overview.row(element)
    names = tuple(map(str, row.names)) if row else (str(element),)
    since = (row.since if row else None) or default_since(overview.read_at)
    called = row.called_statements if row else ()
    detail = cached_detail(config_path(), names, since, overview.read_at, called)
    _head(element, row, overview, detail)
    watch = (row.watch(overview.read_at) if row else None) or detail.watch
    if row and row.readiness:
        _rules(row.readiness)
    _uses(detail, is_known=row is not None)
    if row and row.seen:
        if row.seen.called and row.seen.called.steps:
            _called(row.seen.called, detail)
        _counted(row.seen)
    _timeline(row, detail, watch)
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
        st.warning(prose(overview.notice), icon=":material/cloud_off:")
    st.markdown(_sentence(row) if row else _stranger(element, overview, detail))


def _stranger(element: Element, overview: Overview, detail: ElementDetail) -> str:
    """What can be said of an element that the attic does not know; that is never that it is unused."""
    name, since = plain(str(element)), f"since {at(detail.since)} UTC"
    place = "may or may not be in the attic" if overview.notice else "is not in the attic and was not"
    if detail.hourly:
        last = f"the last one {ago(detail.hourly.last_at, detail.until)}"
        return f"{name} {place}. The logs show {count(detail.hourly.uses, 'use')} {since}, {last}."
    if Source.LOG not in detail.watch.sources:
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
        else f" No earliest date: {prose(row.readiness.undated)}."
        if row.readiness.undated
        else ""
    )
    return f"{badge} {', '.join(parts) or 'every rule is met'}.{earliest}"


def _rules(found: Readiness) -> None:
    st.subheader("Rules")
    with st.container(border=True, gap="xsmall"):
        for rule in found.rules:
            _pair(
                f"**{plain(rule.name)}**  \n{answer_badge(rule.met)}",
                f"{prose(rule.finding)} :gray[({plain(rule.source)})]",
            )
    if found.notes:
        st.markdown("Know besides:\n" + "\n".join(f"* {prose(note)}" for note in found.notes))


def _timeline(row: AtticRow | None, detail: ElementDetail, watch: Watch) -> None:
    shown = detail.shown
    st.subheader(f"Uses per {shown.unit}")
    marks = [charts.Mark(row.entry.deprecated_at, "renamed")] if row and row.entry else []
    if row and row.entry and row.entry.restored_at:
        marks.append(charts.Mark(row.entry.restored_at, "rolled back"))
    gaps = watch.log.gaps
    st.altair_chart(charts.uses(detail.timeline, shown, gaps=gaps, marks=marks), width="stretch")
    if gaps:
        st.caption("Grey: the log of a server was not read, so a failing use could not have been seen.")
    st.subheader("Coverage")
    st.altair_chart(charts.coverage_strip(watch, shown), width="stretch")
    st.caption(f"{COVERAGE_WORDS} Times are UTC.")
    _gaps(watch)


def _gaps(watch: Watch) -> None:
    """The longest gaps as words, for who cannot read them off the chart."""
    gaps = sorted(
        ((end - start, start, watch.name(line)) for line in watch.lines for start, end in line.gaps),
        reverse=True,
    )
    gaps = [gap for gap in gaps if gap[0] >= _SECOND]
    if not gaps:
        return
    with st.expander(f"{count(len(gaps), 'gap')} of a second or more"):
        st.table(
            {
                "Not watched": [plain(name) for _, _, name in gaps[:_GAPS_SHOWN]],
                "From (UTC)": [at(start) for _, start, _ in gaps[:_GAPS_SHOWN]],
                "For": [duration(length) for length, _, _ in gaps[:_GAPS_SHOWN]],
            },
            border="horizontal",
            hide_index=True,
        )
        if len(gaps) > _GAPS_SHOWN:
            st.caption(f"The longest {_GAPS_SHOWN}; `pgattic coverage --json` tells all.")


def _uses(detail: ElementDetail, *, is_known: bool) -> None:
    st.subheader("Who uses it")
    if not detail.groups:
        # What was never renamed does not fail: then failed statements alone tell nothing.
        tells = is_known or Source.LOG in detail.watch.sources
        told = "The logs show no use" if tells else "Only failed statements were read"
        told = told if detail.watch.log.covered_seconds else "No log was read"
        st.markdown(f"{told} since {at(detail.since)} UTC.")
        return
    by_statement: dict[str | None, list[UseGroup]] = defaultdict(list)
    for group in detail.groups:
        by_statement[group.statement_id].append(group)
    for groups in list(by_statement.values())[:_STATEMENTS_SHOWN]:
        _statement(groups, detail.until)
    if (left_out := len(by_statement) - _STATEMENTS_SHOWN) > 0:
        st.caption(f"{count(left_out, 'more statement')}: `pgattic usage` shows all.")


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
        f"told by {SOURCE_WORDS[Source(group.source)]}" if group.source != Source.ERROR else "",
    ]
    times = f"{count(group.uses, group.operation if group.operation != 'ddl' else 'change')}"
    when = f"{times}, {between(group.first_at, group.last_at)}, {ago(group.last_at, now)}"
    whence = " · ".join(part for part in parts if part)
    return f"{outcome_badge(group.outcome, group.sqlstate)} {who} {whence}  \n:gray[{when}]"


def _called(found: CalledUses, detail: ElementDetail) -> None:
    """Which statements that use it pg_stat_statements counted."""
    st.subheader("Calls that were counted")
    by_statement: dict[str | None, list[CalledStep]] = defaultdict(list)
    for step in sorted(found.steps, key=lambda step: step.end, reverse=True):
        by_statement[step.statement_id].append(step)
    for statement_id, steps in list(by_statement.items())[:_STATEMENTS_SHOWN]:
        with st.container(border=True, gap="xsmall"):
            st.markdown("  \n".join(_calls(steps)))
            if text := detail.texts.get(statement_id or ""):
                st.code(text, language="sql", wrap_lines=True)
            else:
                st.caption("The text was not kept: it may use this element, or anything.")
    if (left_out := len(by_statement) - _STATEMENTS_SHOWN) > 0:
        st.caption(f"And {count(left_out, 'more statement')}.")


def _calls(steps: list[CalledStep]) -> Iterator[str]:
    """A line for each caller on each server."""
    callers: dict[tuple[str, str], list[CalledStep]] = defaultdict(list)
    for step in steps:
        callers[step.role or "no role known", step.node].append(step)
    for (role, node), calls in callers.items():
        first, last = min(step.start for step in calls), max(step.end for step in calls)
        times = count(sum(step.calls for step in calls), "call")
        yield f"**{plain(role)}** on {plain(node)} :gray[{times}, {between(first, last)}]"


def _counted(seen: Facts) -> None:
    """What PostgreSQL counted, which tells no names."""
    own = "Of its table" if seen.present and seen.present.kind is Kind.COLUMN else "Of itself"
    found = {own: seen.counted, f"Of {', '.join(seen.checks)}, whose rows it checks": seen.enforced}
    counted = {what: uses.steps for what, uses in found.items() if uses is not None}
    if not counted:
        return
    st.subheader("What PostgreSQL counted")
    for what, steps in counted.items():
        if not steps:
            st.markdown(f"{plain(what)}: nothing since the rename.")
            continue
        st.markdown(f"{plain(what)}:")
        latest = sorted(steps, key=lambda step: step.end, reverse=True)[:_STEPS_SHOWN]
        st.table(
            {
                "Between (UTC)": [between(step.start, step.end) for step in latest],
                "Counted": [plain(", ".join(_amounts(step))) for step in latest],
                "Server": [plain(step.node) for step in latest],
            },
            border="horizontal",
            hide_index=True,
        )
        if len(steps) > _STEPS_SHOWN:
            st.caption(f"The latest {_STEPS_SHOWN} of {len(steps):,} times.")
    if explained := seen.reconciled(seen.since).explained:
        told = ", ".join(f"{scans:,} by {plain(who)}" for who, scans in explained)
        st.caption(f"No use among the reads: {told}.")


def _amounts(step: Step) -> Iterator[str]:
    for number, unit in (
        (step.reads, "read"),
        (step.writes, "written row"),
        (step.looks, "look without a scan"),
        (step.rewrites, "new file"),
    ):
        if number:
            yield count(number, unit)


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
        "Backup": f"proved {at(entry.backup_proved_at)} UTC" if entry.backup_proved_at else "none proved",
    }
    st.markdown("Called now:" if present else "In the attic it was called:")
    st.code(entry.deprecated_name, language=None, wrap_lines=True)
    if facts and facts.definition:
        # As code: Streamlit's Markdown would make a single sign of >= and the like.
        st.markdown("Defined as:")
        st.code(facts.definition, language="sql", wrap_lines=True)
    with st.container(border=True, gap="xsmall"):
        for key, value in pairs.items():
            if value is not None:
                _pair(f":gray[{key}]", value)


def _pair(left: str, right: str) -> None:
    """Two cells of a row, in Markdown: unlike those of a table they break a long name."""
    cells = st.columns([2, 5], vertical_alignment="center")
    cells[0].markdown(left)
    cells[1].markdown(right)


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
