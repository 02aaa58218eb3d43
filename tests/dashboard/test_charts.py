"""Charts show every use once, and every moment as watched or as not watched."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.coverage import Gap
from dashboard.charts import Mark, coverage_strip, uses
from dashboard.watch import watch
from dashboard.window import window
from dashboard.words import SOURCE_WORDS
from ingest.schemas import TIME, Source

NOW = datetime(2026, 11, 23, 12, 34, 56, tzinfo=UTC)
_COLUMNS: dict[str, pa.DataType] = {"start": TIME, "outcome": pa.string(), "uses": pa.int64()}
SCHEMA = pa.schema(_COLUMNS)
# Altair checks each chart against Vega-Lite's schema, which takes its time.
_DRAWN = settings(max_examples=12, deadline=None)


def rows_of(chart: object, *columns: str) -> list[dict[str, object]]:
    """The rows of the data in a chart that have these columns."""
    spec = chart.to_dict()  # type: ignore[attr-defined]
    return [row for rows in spec["datasets"].values() for row in rows if set(columns) <= set(row)]


@_DRAWN
@given(
    st.dictionaries(
        st.tuples(st.integers(0, 29), st.sampled_from(["ok", "error"])), st.integers(1, 10_000), max_size=40
    )
)
def test_every_use_is_in_one_bar_and_bars_stand_on_one_another(found: dict[tuple[int, str], int]) -> None:
    shown = window(NOW - timedelta(days=30), NOW)
    rows = [
        {"start": shown.start + day * shown.step, "outcome": outcome, "uses": number}
        for (day, outcome), number in found.items()
    ]
    bars = rows_of(uses(pa.Table.from_pylist(rows, schema=SCHEMA), shown), "bottom", "top")
    assert sum(bar["uses"] for bar in bars) == sum(found.values())  # type: ignore[misc]
    for start in {bar["start"] for bar in bars}:
        stack = [bar for bar in bars if bar["start"] == start]
        assert max(bar["top"] for bar in stack) == sum(bar["uses"] for bar in stack)  # type: ignore[misc, type-var]


def test_no_use_at_all_is_an_empty_chart_without_a_legend() -> None:
    chart = uses(SCHEMA.empty_table(), window(NOW, NOW))
    assert rows_of(chart, "uses") == []
    assert chart.to_dict()["layer"][0]["encoding"]["color"]["legend"] is None


def test_gaps_and_marks_are_drawn() -> None:
    gap = Gap(NOW - timedelta(hours=3), NOW - timedelta(hours=2))
    chart = uses(SCHEMA.empty_table(), window(NOW, NOW), gaps=[gap], marks=[Mark(NOW, "renamed")])
    assert [row["what"] for row in rows_of(chart, "what")] == ["no log was read"]
    assert {row["label"] for row in rows_of(chart, "label")} == {"renamed"}


@_DRAWN
@given(st.lists(st.integers(0, 1000), unique=True, max_size=12).map(sorted))
def test_every_moment_is_either_watched_or_not(edges: list[int]) -> None:
    start = NOW - timedelta(minutes=1000)
    moments = [start + timedelta(minutes=edge) for edge in edges]
    watched = [*zip(moments[::2], moments[1::2], strict=False)]
    seen = sum((end - begin for begin, end in watched), timedelta())
    found = watch({Source.ERROR: {"primary": watched}}, start, NOW, ["error"])
    parts = rows_of(coverage_strip(found, window(start, NOW)), "what")
    lengths = {"watched": timedelta(), "not watched": timedelta()}
    for part in parts:
        length = datetime.fromisoformat(str(part["end"])) - datetime.fromisoformat(str(part["start"]))
        lengths[str(part["what"])] += length
    assert lengths == {"watched": seen, "not watched": timedelta(minutes=1000) - seen}


def test_every_source_and_server_has_a_line_of_its_own() -> None:
    start = NOW - timedelta(hours=10)
    halves = {"primary": [(start, NOW)], "replica1": [(start, NOW - timedelta(hours=5))]}
    found = watch(dict.fromkeys(Source, halves), start, NOW, [])
    labels = [row["label"] for row in rows_of(coverage_strip(found, window(start, NOW)), "label")]
    assert labels == [
        f"{SOURCE_WORDS[source]} on {server}"
        for source in Source
        for server in ("primary: 100 %", "replica1: 50 %")
    ]
