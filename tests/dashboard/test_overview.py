"""The overview shows every element with its verdict and evidence, and says so where something is missing."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from analytics.readiness import Verdict
from catalog.elements import Element
from dashboard.data import overview
from ingest.store import Store
from migrations import registry
from tests.dashboard import shop as shops
from tests.dashboard.conftest import Opener, Shop, shown
from tests.fix_server import FreshDatabase

VERDICTS = {
    shops.MONTHLY_SALES: Verdict.NOT_READY,
    shops.LEGACY_STATUS: Verdict.NOT_READY,
    shops.TOTAL_CHECK: Verdict.NOT_READY,
    shops.SHIPPING: Verdict.NOT_READY,
    shops.NOTE_INDEX: Verdict.UNKNOWN,
    shops.NEWSLETTER: Verdict.READY,
    shops.USERS_OLD: Verdict.READY,
}


def config_in(folder: Path, database: FreshDatabase) -> Path:
    return shops.write_config(folder, database.dsn())


def test_overview_gathers_every_element_with_its_verdict(shop: Shop) -> None:
    found = overview(shop.config, shop.now)
    assert {row.element: row.verdict for row in found.rows} == VERDICTS
    assert [row.element for row in found.restored] == [shops.REPORT_CACHE]
    assert found.notice is None


def test_what_is_in_use_comes_first_and_what_is_ready_last(shop: Shop) -> None:
    found = overview(shop.config, shop.now)
    assert [row.element for row in found.rows][:2] == [shops.MONTHLY_SALES, shops.LEGACY_STATUS]
    assert [row.verdict for row in found.rows][-2:] == [Verdict.READY, Verdict.READY]


def test_uses_are_those_since_the_rename(shop: Shop) -> None:
    uses = {row.element: row.uses for row in overview(shop.config, shop.now).rows}
    assert uses[shops.MONTHLY_SALES] == 17
    assert uses[shops.USERS_OLD] == 0


def test_timeline_has_every_use_since_the_first_rename(shop: Shop) -> None:
    found = overview(shop.config, shop.now)
    uses = sum(row.uses for row in (*found.rows, *found.restored))
    timeline = found.timeline.to_pylist()
    assert sum(row["uses"] for row in timeline) == uses
    assert all(found.shown.start <= row["start"] < found.shown.end for row in timeline)


def test_page_shows_every_element_with_a_link_to_its_page(shop: Shop, open_app: Opener) -> None:
    app = open_app(shop.config)
    links = {link.proto.query_string for link in app.page_link}
    for element in VERDICTS:
        assert element.path in shown(app)
        assert any(str(element).split(":")[1] in link for link in links)


def test_head_figures_are_those_of_the_rows(shop: Shop, open_app: Opener) -> None:
    app = open_app(shop.config)
    assert {metric.label: metric.value for metric in app.metric} == {
        "In the attic": "7",
        "Seen in use": "3",
        "Ready": "2",
        "Not ready": "4",
        "Unknown": "1",
        "Coverage": "99.2 %",
    }


def test_page_tells_verdicts_in_words(shop: Shop, open_app: Opener) -> None:
    text = shown(open_app(shop.config))
    assert text.count("not ready") == 4
    assert "unknown" in text


def test_page_tells_who_uses_what_first(shop: Shop, open_app: Opener) -> None:
    text = shown(open_app(shop.config))
    assert "17 uses seen since the rename by monthly_report, psql" in text
    assert "reporting (monthly_report, 10.0.3.17) failed with 42P01" in text


def test_where_no_log_was_read_its_silence_is_not_called_no_use(
    shop: Shop, tmp_path: Path, open_app: Opener
) -> None:
    with_nothing = shop.config.read_text().replace('directory = "evidence"', f'directory = "{tmp_path}/none"')
    config = tmp_path / "pgattic.toml"
    config.write_text(with_nothing)
    text = shown(open_app(config))
    assert "in the attic · no log read" in text
    assert "no use in the logs" not in text


def test_alerts_of_one_cause_stand_once(shop: Shop) -> None:
    alerts = overview(shop.config, shop.now).alerts
    assert (alerts[0].element, alerts[0].times) == (shops.MONTHLY_SALES, 12)
    assert len({(alert.element, alert.what) for alert in alerts}) == len(alerts)


def test_alert_without_an_element_says_what_it_is_about(
    free_port: int, tmp_path: Path, open_app: Opener
) -> None:
    store, now = Store(tmp_path / "evidence"), datetime.now(UTC)
    shops.write_evidence(store, now)
    shops.write_alert(store, now, "the log of replica1 was last read up to 2026-11-23 04:00, 3 hours ago")
    app = open_app(shops.write_config(tmp_path, f"host=127.0.0.1 port={free_port} dbname=shop"))
    text = shown(app)
    assert "warning\nthe log of replica1 was last read up to 2026-11-23 04:00, 3 hours ago" in text
    # Only alerts on elements lead to one.
    assert [link.label for link in app.page_link if "None" in link.label] == []
    assert "None" not in text


def test_empty_attic_says_what_to_run_first(
    database18: FreshDatabase, tmp_path: Path, open_app: Opener
) -> None:
    registry.install(database18.db)
    app = open_app(config_in(tmp_path, database18))
    assert "Nothing is in the attic yet" in shown(app)
    assert "pgattic scan" in shown(app)
    assert not app.warning
    assert not app.metric


def test_database_without_a_registry_says_to_run_init(
    database18: FreshDatabase, tmp_path: Path, open_app: Opener
) -> None:
    app = open_app(config_in(tmp_path, database18))
    assert "Run `pgattic init`" in shown(app)


def test_database_down_is_one_line_and_the_evidence_is_still_shown(
    free_port: int, tmp_path: Path, open_app: Opener
) -> None:
    shops.write_evidence(Store(tmp_path / "evidence"), datetime.now(UTC))
    app = open_app(shops.write_config(tmp_path, f"host=127.0.0.1 port={free_port} dbname=shop"))
    (notice,) = app.warning
    assert f"port={free_port}" in notice.value.replace("\\", "")
    assert "Check database.dsn" in notice.value.replace("\\", "")
    assert "\n" not in notice.value
    text = shown(app)
    assert shops.MONTHLY_SALES.path in text
    assert "The database did not answer" in text
    figures = {metric.label: metric.value for metric in app.metric}
    assert (figures["In the attic"], figures["Ready"], figures["Seen in use"]) == ("?", "?", "4")


def test_database_down_and_no_evidence_is_one_line(free_port: int, tmp_path: Path, open_app: Opener) -> None:
    app = open_app(shops.write_config(tmp_path, f"host=127.0.0.1 port={free_port} dbname=shop"))
    assert len(app.warning) == 1
    assert not app.metric


@pytest.mark.parametrize("page", [None, shops.USERS_OLD])
def test_missing_configuration_is_one_line(page: Element | None, tmp_path: Path, open_app: Opener) -> None:
    app = open_app(tmp_path / "gone.toml", page)
    (error,) = app.error
    assert "no such configuration file" in error.value
    assert "pgattic init" in error.value.replace("\\", "")


def test_unreadable_evidence_is_one_line(database18: FreshDatabase, tmp_path: Path, open_app: Opener) -> None:
    registry.install(database18.db)
    shops.write_evidence(Store(tmp_path / "evidence"), datetime.now(UTC))
    for file in (tmp_path / "evidence" / "access").rglob("*.parquet"):
        file.write_bytes(b"not parquet")
    app = open_app(config_in(tmp_path, database18))
    (error,) = app.error
    assert "the evidence cannot be read" in error.value
    assert "\n" not in error.value


def test_refresh_reads_anew(database18: FreshDatabase, tmp_path: Path, open_app: Opener) -> None:
    registry.install(database18.db)
    database18.db.execute("CREATE TABLE late (id integer)")
    app = open_app(config_in(tmp_path, database18))
    late = Element.parse("table:public.late")
    shops.put_away(database18.db, [late], datetime.now(UTC) - timedelta(hours=2))
    app.sidebar.button[0].click().run()
    assert late.path in shown(app)
    assert app.metric[0].value == "1"


def test_names_are_shown_as_they_are(database18: FreshDatabase, tmp_path: Path, open_app: Opener) -> None:
    registry.install(database18.db)
    odd = Element.parse('table:public.":red[*x*] [a](b) <i>"')
    database18.db.execute('CREATE TABLE ":red[*x*] [a](b) <i>" (id integer)')
    shops.put_away(database18.db, [odd], datetime.now(UTC) - timedelta(hours=2))
    app = open_app(config_in(tmp_path, database18))
    (link,) = app.page_link
    assert link.label == r"public\.\"\:red\[\*x\*\] \[a\]\(b\) \<i\>\""
    assert odd.name in shown(open_app(config_in(tmp_path, database18), odd))


def test_long_attic_can_be_narrowed_by_name_and_verdict(
    database18: FreshDatabase, tmp_path: Path, open_app: Opener
) -> None:
    registry.install(database18.db)
    elements = [Element.parse(f"table:public.old_{number:02}") for number in range(30)]
    for element in elements:
        database18.db.execute(f"CREATE TABLE {element.path} (id integer)")
    shops.put_away(database18.db, elements, datetime.now(UTC) - timedelta(hours=2))
    app = open_app(config_in(tmp_path, database18))
    assert len(app.page_link) == 25
    app.text_input[0].set_value("old_07").run()
    assert [link.label for link in app.page_link] == [r"public\.old\_07"]
    app.pills[0].set_value(Verdict.READY).run()
    assert not app.page_link
    assert "No element has that name and verdict." in shown(app)


def test_element_made_anew_and_put_away_again_stands_twice(database18: FreshDatabase, tmp_path: Path) -> None:
    registry.install(database18.db)
    twice = Element.parse("table:public.twice")
    for days in (9, 2):
        database18.db.execute("CREATE TABLE twice (id integer)")
        shops.put_away(database18.db, [twice], datetime.now(UTC) - timedelta(days=days))
    found = overview(config_in(tmp_path, database18), datetime.now(UTC))
    assert [row.element for row in found.rows] == [twice, twice]
    assert len({row.readiness.deprecated_name for row in found.rows if row.readiness}) == 2
