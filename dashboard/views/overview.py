"""The overview: what is in the attic, what of it is still used, and how well we could have seen it."""

from collections import Counter
from datetime import datetime

import streamlit as st

from analytics.readiness import Rule, Verdict
from analytics.sentences import count, duration, percent
from dashboard import charts
from dashboard.data import cached_overview, config_path
from dashboard.model import AlertRow, AtticRow, Overview
from dashboard.words import COVERAGE_WORDS, KIND_ICONS, ago, at, plain, prose, severity_badge, verdict_badge

ELEMENT_PAGE = "views/element.py"
_ROWS_PER_PAGE = 25
# What is not met for want of time alone says less than any other reason.
_TIME_RULES = ("time in the attic", "month-ends seen", "quarter-ends seen")
_METRIC_PIXELS = 132


def show() -> None:
    """Draw the page."""
    overview = cached_overview(config_path())
    st.title("The attic")
    if overview.notice:
        st.warning(prose(overview.notice), icon=":material/cloud_off:")
    if not overview.rows and not overview.restored:
        _nothing_yet(overview)
        return
    _figures(overview)
    _elements(overview)
    left, right = st.columns([3, 2], gap="large")
    with left:
        _activity(overview)
    with right:
        _alerts(overview)


def _nothing_yet(overview: Overview) -> None:
    if overview.notice:
        st.markdown("There is no evidence of any element in the attic either.")
        return
    with st.container(border=True):
        st.markdown("### Nothing is in the attic yet")
        st.markdown("Find elements that nobody uses, write a plan, look at it, and carry it out:")
        st.code(
            "pgattic scan\npgattic plan table:public.users_old --reason unused --out plan.json\n"
            "pgattic apply plan.json",
            language="bash",
        )
        st.markdown("Then let it watch for uses, by cron or as a service:")
        st.code("pgattic ingest --once", language="bash")


def _figures(overview: Overview) -> None:
    verdicts = Counter(row.verdict for row in overview.rows)
    used = sum(row.is_used for row in overview.rows)
    seen = overview.watch.log
    # Without the database nobody knows what is in the attic; the evidence alone knows what was used.
    known = all(row.entry for row in overview.rows)
    figures: tuple[tuple[str, int | str | None, str], ...] = (
        ("In the attic", len(overview.rows) if known else None, "Elements that have a deprecated name now."),
        (
            "Seen in use",
            used,
            "Elements of which logs or counters show a use since they came into the attic.",
        ),
        ("Ready", verdicts[Verdict.READY] if known else None, "Every rule is met."),
        ("Not ready", verdicts[Verdict.NOT_READY] if known else None, "At least one rule is not met."),
        ("Unknown", verdicts[Verdict.UNKNOWN], "No rule is broken, but one cannot be known."),
        (
            "Coverage",
            percent(seen.fraction),
            f"For how much of the time since {at(seen.start)} UTC the logs of all servers were read.",
        ),
    )
    with st.container(horizontal=True):
        for label, value, meaning in figures:
            shown = "?" if value is None else value
            st.metric(label, shown, help=meaning, border=True, width=_METRIC_PIXELS)


def _elements(overview: Overview) -> None:
    if overview.rows:
        st.subheader("Elements in the attic" if not overview.notice else "Elements with evidence")
        rows = _chosen(overview.rows)
        _table(rows, overview.read_at)
    if overview.restored:
        with st.expander(f"{count(len(overview.restored), 'element')} back under the former name"):
            for row in overview.restored:
                _restored(row)


def _chosen(rows: tuple[AtticRow, ...]) -> list[AtticRow]:
    """The rows that the reader wants to see; a short list needs no tools."""
    if len(rows) <= _ROWS_PER_PAGE // 2:
        return list(rows)
    left, right = st.columns([2, 3], vertical_alignment="bottom")
    wanted = left.text_input("Name", placeholder="Part of a name", label_visibility="collapsed")
    verdict = right.pills("Verdict", list(Verdict), label_visibility="collapsed")
    found = [
        row for row in rows if wanted.lower() in str(row.element).lower() and verdict in (None, row.verdict)
    ]
    pages = max(1, -(-len(found) // _ROWS_PER_PAGE))
    page = st.pagination(pages) if pages > 1 else 1
    return found[(page - 1) * _ROWS_PER_PAGE : page * _ROWS_PER_PAGE]


def _table(rows: list[AtticRow], now: datetime) -> None:
    # Wider between two elements than within one, also where a small screen puts the columns below each other.
    with st.container(border=True, gap="medium"):
        for row in rows:
            left, right = st.columns(2, vertical_alignment="center", gap="small")
            with left.container(gap="xxsmall"):
                _link(row)
                st.markdown(f"{verdict_badge(row.verdict)} {_small(_stay(row, now))}")
            right.markdown(_small(_why(row)))
        if not rows:
            st.markdown("No element has that name and verdict.")


def _stay(row: AtticRow, now: datetime) -> str:
    """How long it has been in the attic, and what the logs show of it there."""
    uses = count(row.uses, "use") if row.uses else "no use in the logs" if row.is_log_read else "no log read"
    last = f", the last {ago(row.last_use_at, now)}" if row.last_use_at else ""
    since = f"{duration(now - row.entry.deprecated_at)} in the attic · " if row.entry else ""
    return f":gray[{since}{uses}{last}]"


def _link(row: AtticRow) -> None:
    st.page_link(
        ELEMENT_PAGE,
        label=plain(row.element.path),
        icon=KIND_ICONS[row.element.kind],
        # A name that is too long for its column can be read here.
        help=plain(str(row.element) + (f", put away as {row.entry.deprecated_name}" if row.entry else "")),
        query_params={"element": str(row.element)},
    )


def _why(row: AtticRow) -> str:
    if row.readiness is None:
        return "The database did not answer, so nobody can judge."
    reasons = list(row.readiness.reasons)
    if not reasons:
        return "Every rule is met."
    # That somebody uses it says more than that it is too early.
    told = [rule.finding for rule in row.readiness.rules if rule.met is False and not _lacks_time(rule)]
    first, *others = told + [reason for reason in reasons if reason not in told]
    more = f" :gray[and {len(others)} more]" if others else ""
    return f"{prose(first[:1].upper() + first[1:])}{more}"


def _lacks_time(rule: Rule) -> bool:
    return rule.name in _TIME_RULES or rule.name.endswith("coverage")


def _small(text: str) -> str:
    return f":small[{text}]"


def _restored(row: AtticRow) -> None:
    left, right = st.columns([2, 3], vertical_alignment="center")
    with left:
        _link(row)
    if row.entry and row.entry.restored_at:
        stay = duration(row.entry.restored_at - row.entry.deprecated_at)
        right.markdown(f"rolled back {at(row.entry.restored_at)} UTC, after {stay} in the attic")


def _activity(overview: Overview) -> None:
    shown = overview.shown
    st.subheader(f"Uses per {shown.unit}")
    gaps = overview.watch.log.gaps
    st.altair_chart(charts.uses(overview.timeline, shown, gaps=gaps), width="stretch")
    if gaps:
        st.caption("Grey: the log of a server was not read, so a failing use could not have been seen.")
    st.subheader("Coverage")
    st.altair_chart(charts.coverage_strip(overview.watch, shown), width="stretch")
    st.caption(f"{COVERAGE_WORDS} Times are UTC.")


def _alerts(overview: Overview) -> None:
    st.subheader("Newest alerts")
    if not overview.alerts:
        st.markdown("No alert was raised.")
        return
    with st.container(border=True):
        for alert in overview.alerts:
            _alert(alert, overview.read_at)


def _alert(alert: AlertRow, now: datetime) -> None:
    again = f", raised {alert.times:,} times" if alert.times > 1 else ""
    with st.container(gap="xxsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="xxsmall"):
            st.markdown(severity_badge(alert.severity), width="content")
            if alert.element:
                st.page_link(
                    ELEMENT_PAGE,
                    label=plain(alert.element.path),
                    icon=KIND_ICONS[alert.element.kind],
                    help=plain(str(alert.element)),
                    query_params={"element": str(alert.element)},
                )
        st.markdown(_small(f"{prose(alert.what)}  \n:gray[{ago(alert.occurred_at, now)}{again}]"))


if __name__ == "__main__":
    show()
