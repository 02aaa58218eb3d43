"""The charts: uses over time, and when a use could have been seen.

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

from analytics.coverage import Gap, Stretch
from analytics.sentences import duration, percent
from analytics.timelines import Line
from dashboard.watch import Watch
from dashboard.window import Window
from dashboard.words import at

_SUCCEEDED, _FAILED = "#4a90d9", "#e07b2f"
_WATCHED, _MISSED = "#3f9c8f", "#e07b2f"
_GREY = "#8a8f98"
_OUTCOMES = {"ok": "succeeded", "error": "failed"}
_DAY = timedelta(days=1)
# The same on both charts, so that one can be read below the other.
_AXIS_PIXELS = 36
_AXIS_HEIGHT = 42
_ROW_PIXELS = 44
_BELOW_WORDS = 8
_WORD_PIXELS = 14
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


def coverage_strip(found: Watch, shown: Window) -> alt.LayerChart | alt.FacetChart:
    """A line of time for each source and server: a bar where it watched, a bracket where it did not."""
    y = alt.Y(
        "line:N",
        sort=[found.name(line) for line in found.lines],
        title=None,
        axis=alt.Axis(
            labels=False, ticks=False, domain=False, minExtent=_AXIS_PIXELS, maxExtent=_AXIS_PIXELS
        ),
    )
    x, tooltip = _time("start", shown), ["line:N", "what:N", "from:N", "to:N", "for:N"]
    watched = alt.Chart(_stretches(found, "watched", lambda line: line.stretches)).encode(
        x=x, x2="end:T", y=y, tooltip=tooltip
    )
    missed = alt.Chart(_stretches(found, "not watched", lambda line: line.gaps)).encode(
        x=x, x2="end:T", y=y, tooltip=tooltip
    )
    # The ends of a bracket stay visible, however short the gap is.
    edges = alt.Chart(_edges(found, shown)).encode(x=x, y=y)
    words = alt.Chart(_titles(found)).encode(x=alt.value(0), y=y, text="label:N")
    return alt.layer(
        watched.mark_bar(height=12, yOffset=_BELOW_WORDS, color=_WATCHED),
        missed.mark_bar(height=3, yOffset=_BELOW_WORDS, color=_MISSED),
        edges.mark_tick(thickness=2, size=18, yOffset=_BELOW_WORDS, color=_MISSED),
        words.mark_text(align="left", baseline="bottom", dy=-6, fontSize=12, color=_GREY),
    ).properties(height=_ROW_PIXELS * len(found.lines) + _AXIS_HEIGHT)


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
        .mark_rect(color=_GREY, opacity=0.3, clip=True)
        .encode(x=_time("start", shown), x2="end:T", tooltip=["what:N", "from:N", "to:N"])
    )
    return chart


def _marks(marks: Sequence[Mark], shown: Window) -> list[alt.Chart]:
    # A word stands where there is room for it: right of its line, but left of it near the end; and each one
    # above those before it, as they may be close together.
    middle = shown.start + (shown.end - shown.start) / 2
    found = []
    for place, mark in enumerate(marks):
        is_late = mark.moment >= middle
        frame = pd.DataFrame([(mark.moment, mark.label)], columns=["start", "label"])
        chart = alt.Chart(frame).encode(x=_time("start", shown))
        words = chart.mark_text(
            align="right" if is_late else "left",
            dx=-5 if is_late else 5,
            y=-4 - _WORD_PIXELS * place,
            baseline="bottom",
            fontSize=12,
            color=_GREY,
        )
        found += [chart.mark_rule(color=_GREY, strokeDash=[4, 3]), words.encode(text="label:N")]
    return found


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


def _stretches(found: Watch, what: str, parts: Callable[[Line], Sequence[Stretch]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            (found.name(line), start, end, what, at(start), at(end), duration(end - start))
            for line in found.lines
            for start, end in parts(line)
        ],
        columns=["line", "start", "end", "what", "from", "to", "for"],
    )


def _edges(found: Watch, shown: Window) -> pd.DataFrame:
    # The log is always read a little late: a gap that nobody could see gets no bracket.
    least = (shown.end - shown.start) * _VISIBLE
    edges = [
        (found.name(line), edge)
        for line in found.lines
        for gap in line.gaps
        for edge in gap
        if gap[1] - gap[0] >= least
    ]
    return pd.DataFrame(edges, columns=["line", "start"])


def _titles(found: Watch) -> pd.DataFrame:
    titles = [(name := found.name(line), f"{name}: {percent(line.fraction)}") for line in found.lines]
    return pd.DataFrame(titles, columns=["line", "label"])


def _bar_words(start: datetime, shown: Window) -> str:
    return f"{start:%Y-%m-%d}" if shown.step == _DAY else f"{at(start)} to {start + shown.step:%H:%M}"
