"""The charts: uses over time, and for which time the logs were read.

Colours are told apart by every kind of colour vision and stand out on light and dark ground; whatever a
colour says is also said by a word, a shape or the tooltip. Times are UTC, wherever the browser is.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import altair as alt
import pandas as pd
import pyarrow as pa

from analytics.coverage import Coverage, Gap, Stretch
from analytics.sentences import duration, percent
from dashboard.window import Window
from dashboard.words import SOURCE_WORDS, at

_SUCCEEDED, _FAILED = "#4a90d9", "#e07b2f"
_READ, _NOT_READ = "#3f9c8f", "#e07b2f"
_GREY = "#8a8f98"
_OUTCOMES = {"ok": "succeeded", "error": "failed"}
_DAY = timedelta(days=1)
# The same on both charts, so that one can be read below the other.
_AXIS_PIXELS = 36
_ROW_PIXELS = 52
_BELOW_WORDS = 8
# A part of a window that fills about half a pixel.
_VISIBLE = 1 / 1500
# Between two bars, as a part of one.
_AIR = 0.07


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment that a chart names: `renamed`, `rolled back`."""

    moment: datetime
    label: str


def uses(
    timeline: pa.Table, shown: Window, *, gaps: Sequence[Gap] = (), marks: Sequence[Mark] = ()
) -> alt.LayerChart | alt.FacetChart:
    """Uses as stacked bars, over grey where no log was read."""
    layers = [_bars(timeline, shown)]
    if gaps:
        layers.insert(0, _shades(gaps, shown))
    if marks:
        layers.extend(_marks(marks, shown))
    return alt.layer(*layers).properties(height=200)


def coverage_strip(found: Sequence[Coverage], shown: Window) -> alt.LayerChart | alt.FacetChart:
    """A line of time for each source: a bar where the log was read, a bracket where it was not."""
    y = alt.Y(
        "source:N",
        sort=[SOURCE_WORDS[each.source] for each in found],
        title=None,
        axis=alt.Axis(
            labels=False, ticks=False, domain=False, minExtent=_AXIS_PIXELS, maxExtent=_AXIS_PIXELS
        ),
    )
    x, tooltip = _time("start", shown), ["what:N", "from:N", "to:N", "for:N"]
    read = alt.Chart(_stretches(found, "read", _between)).encode(x=x, x2="end:T", y=y, tooltip=tooltip)
    missed = alt.Chart(_stretches(found, "not read", _gaps)).encode(x=x, x2="end:T", y=y, tooltip=tooltip)
    # The ends of a bracket stay visible, however short the gap is.
    edges = alt.Chart(_edges(found, shown)).encode(x=x, y=y)
    words = alt.Chart(_titles(found)).encode(x=alt.value(0), y=y, text="label:N")
    return alt.layer(
        read.mark_bar(height=12, yOffset=_BELOW_WORDS, color=_READ),
        missed.mark_bar(height=3, yOffset=_BELOW_WORDS, color=_NOT_READ),
        edges.mark_tick(thickness=2, size=18, yOffset=_BELOW_WORDS, color=_NOT_READ),
        words.mark_text(align="left", baseline="bottom", dy=-6, fontSize=12, color=_GREY),
    ).properties(height=_ROW_PIXELS * len(found))


def _bars(timeline: pa.Table, shown: Window) -> alt.Chart:
    counts: dict[tuple[datetime, str], int] = {
        (row["start"], _OUTCOMES[row["outcome"]]): row["uses"] for row in timeline.to_pylist()
    }
    rows, tops = [], dict.fromkeys((start for start, _ in counts), 0)
    for (start, outcome), number in sorted(counts.items()):
        bottom = tops[start]
        tops[start] += number
        rows.append(
            (
                start + shown.step * _AIR,
                start + shown.step * (1 - _AIR),
                outcome,
                number,
                bottom,
                tops[start],
                _bar_words(start, shown),
            )
        )
    frame = pd.DataFrame(rows, columns=["start", "end", "outcome", "uses", "bottom", "top", "when"])
    chart: alt.Chart = (
        alt.Chart(frame)
        .mark_rect(clip=True)
        .encode(
            x=_time("start", shown),
            x2="end:T",
            y=alt.Y(
                "bottom:Q",
                title=None,
                scale=alt.Scale(domainMin=0) if counts else alt.Scale(domain=[0, 1]),
                axis=alt.Axis(
                    format="~s", tickMinStep=1, tickCount=4, minExtent=_AXIS_PIXELS, maxExtent=_AXIS_PIXELS
                ),
            ),
            y2="top:Q",
            color=alt.Color(
                "outcome:N",
                scale=alt.Scale(domain=["succeeded", "failed"], range=[_SUCCEEDED, _FAILED]),
                legend=alt.Legend(title=None, orient="top", direction="horizontal") if counts else None,
            ),
            tooltip=[alt.Tooltip("when:N"), alt.Tooltip("outcome:N"), alt.Tooltip("uses:Q", format=",")],
        )
    )
    return chart


def _shades(gaps: Iterable[Gap], shown: Window) -> alt.Chart:
    frame = pd.DataFrame(
        [(gap.start, gap.end, "no log was read", at(gap.start), at(gap.end)) for gap in gaps],
        columns=["start", "end", "what", "from", "to"],
    )
    chart: alt.Chart = (
        alt.Chart(frame)
        .mark_rect(color=_GREY, opacity=0.22, clip=True)
        .encode(x=_time("start", shown), x2="end:T", tooltip=["what:N", "from:N", "to:N"])
    )
    return chart


def _marks(marks: Sequence[Mark], shown: Window) -> list[alt.Chart]:
    frame = pd.DataFrame([(mark.moment, mark.label) for mark in marks], columns=["start", "label"])
    x = _time("start", shown)
    # A word stands where there is room for it: right of its line, but left of it near the end.
    middle = shown.start + (shown.end - shown.start) / 2
    early = alt.Chart(frame[frame["start"] < middle]).encode(x=x, text="label:N")
    late = alt.Chart(frame[frame["start"] >= middle]).encode(x=x, text="label:N")
    return [
        alt.Chart(frame).mark_rule(color=_GREY, strokeDash=[4, 3]).encode(x=x),
        early.mark_text(align="left", dx=5, baseline="bottom", y=-4, fontSize=12, color=_GREY),
        late.mark_text(align="right", dx=-5, baseline="bottom", y=-4, fontSize=12, color=_GREY),
    ]


def _time(field: str, shown: Window) -> alt.X:
    domain: list[Any] = [shown.start.timestamp() * 1000, shown.end.timestamp() * 1000]
    return alt.X(
        f"{field}:T",
        title=None,
        scale=alt.Scale(type="utc", domain=domain, nice=False),
        axis=alt.Axis(
            format="%H:%M" if shown.end - shown.start <= 1.2 * _DAY else "%d %b",
            tickCount=8,
            grid=False,
            labelOverlap=True,
        ),
    )


def _stretches(
    found: Sequence[Coverage], what: str, parts: Callable[[Coverage], list[Stretch]]
) -> pd.DataFrame:
    return pd.DataFrame(
        [
            (SOURCE_WORDS[each.source], start, end, what, at(start), at(end), duration(end - start))
            for each in found
            for start, end in parts(each)
        ],
        columns=["source", "start", "end", "what", "from", "to", "for"],
    )


def _edges(found: Sequence[Coverage], shown: Window) -> pd.DataFrame:
    # The log is always read a little late: a gap that nobody could see gets no bracket.
    least = (shown.end - shown.start).total_seconds() * _VISIBLE
    edges = [
        (SOURCE_WORDS[each.source], edge)
        for each in found
        for gap in each.gaps
        for edge in (gap.start, gap.end)
        if gap.seconds >= least
    ]
    return pd.DataFrame(edges, columns=["source", "start"])


def _titles(found: Sequence[Coverage]) -> pd.DataFrame:
    titles = [
        (SOURCE_WORDS[each.source], f"{SOURCE_WORDS[each.source]}: {percent(each.fraction)} seen")
        for each in found
    ]
    return pd.DataFrame(titles, columns=["source", "label"])


def _gaps(found: Coverage) -> list[Stretch]:
    return [(gap.start, gap.end) for gap in found.gaps]


def _between(found: Coverage) -> list[Stretch]:
    """What was read: the time between the gaps."""
    edges = [found.start, *(edge for gap in found.gaps for edge in (gap.start, gap.end)), found.end]
    return [(start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if start < end]


def _bar_words(start: datetime, shown: Window) -> str:
    return f"{start:%Y-%m-%d}" if shown.step == _DAY else f"{at(start)} to {start + shown.step:%H:%M}"
