"""The page of one element tells its verdict rule by rule, who uses it, and the way back."""

import re
import shlex
from datetime import UTC, datetime
from pathlib import Path

from catalog.elements import Element
from dashboard.data import overview
from ingest.store import Store
from tests.dashboard import shop as shops
from tests.dashboard.conftest import Opener, Shop, shown


def test_every_rule_is_answered_in_words(shop: Shop, open_app: Opener) -> None:
    text = shown(open_app(shop.config, shops.MONTHLY_SALES))
    assert "time in the attic  \nnot met\nin the attic for 12 days, at least 30 days wanted" in text
    assert "in its place  \nmet\nstill there as" in text
    assert "4 rules not met" in text


def test_a_rule_that_cannot_be_known_says_so(shop: Shop, open_app: Opener) -> None:
    text = shown(open_app(shop.config, shops.NOTE_INDEX))
    assert "counter coverage  \ncannot be known" in text
    assert "unknown 1 rule cannot be known" in text


def test_uses_say_who_from_where_with_which_statement(shop: Shop, open_app: Opener) -> None:
    app = open_app(shop.config, shops.MONTHLY_SALES)
    text = shown(app)
    assert "monthly_report role reporting · from 10.0.3.17" in text
    assert "failed: table not found" in text
    assert "12 reads" in text
    assert shops.STATEMENTS["s-sales"] in [code.value for code in app.code]


def test_uses_of_one_statement_stand_together(shop: Shop, open_app: Opener) -> None:
    app = open_app(shop.config, shops.LEGACY_STATUS)
    text, statement = shown(app), shops.STATEMENTS["s-status"]
    assert [code.value for code in app.code].count(statement) == 1
    assert "from 10.0.1.21" in text
    assert "from 10.0.1.22" in text


def test_counted_calls_say_who_with_which_statement(shop: Shop, open_app: Opener) -> None:
    app = open_app(shop.config, shops.MONTHLY_SALES)
    assert "bert on primary 3 calls" in shown(app)
    assert shops.STATEMENTS["s-sales-new-name"] in [code.value for code in app.code]
    assert "Calls that were counted" not in shown(open_app(shop.config, shops.LEGACY_STATUS))


def test_every_source_that_could_see_it_has_a_line_of_coverage(shop: Shop) -> None:
    watch = overview(shop.config, shop.now).rows[0].watch(shop.now)
    assert watch is not None
    names = [watch.name(line) for line in watch.lines]
    assert names == ["failed statements", "counters", "counted statements"]


def test_gaps_are_told_in_words_too(shop: Shop, open_app: Opener) -> None:
    text = shown(open_app(shop.config, shops.TOTAL_CHECK))
    assert re.search(r"failed statements\n\d{4}-\d\d-\d\d \d\d:\d\d\n6 hours", text)


def test_what_nobody_sees_stands_beside_the_rules(shop: Shop, open_app: Opener) -> None:
    (row,) = [row for row in overview(shop.config, shop.now).rows if row.element == shops.SHIPPING]
    assert row.readiness is not None
    assert row.readiness.notes
    text = shown(open_app(shop.config, shops.SHIPPING))
    assert all(note in text for note in row.readiness.notes)


def test_element_without_a_use_says_since_when(shop: Shop, open_app: Opener) -> None:
    text = shown(open_app(shop.config, shops.USERS_OLD))
    assert "The logs show no use since" in text
    assert "ready every rule is met." in text


def test_facts_tell_both_names_and_the_migration(shop: Shop, open_app: Opener) -> None:
    text = shown(open_app(shop.config, shops.USERS_OLD))
    assert "users_old_deprecated_" in text
    assert "public.users_old" in text
    assert "dba" in text
    # About a megabyte: what the server made of it decides whether it is called one.
    assert re.search(r"Size\n[\d.,]+ (kB|MB)", text)
    assert "proved" in text


def test_definition_is_shown_letter_by_letter(shop: Shop, open_app: Opener) -> None:
    codes = [code.value for code in open_app(shop.config, shops.TOTAL_CHECK).code]
    assert "CHECK ((total >= (0)::numeric))" in codes


def test_the_way_back_is_a_command_that_can_be_pasted(shop: Shop, open_app: Opener) -> None:
    codes = [code.value for code in open_app(shop.config, shops.LEGACY_STATUS).code]
    wanted = [
        "pgattic",
        "--config",
        str(shop.config),
        "rollback",
        "--element",
        "column:public.orders.legacy_status",
    ]
    assert wanted in [shlex.split(code) for code in codes]


def test_restored_element_has_no_way_back_and_no_verdict(shop: Shop, open_app: Opener) -> None:
    app = open_app(shop.config, shops.REPORT_CACHE)
    assert "rolled back since" in shown(app)
    assert "rollback" not in shown(app)
    assert "not ready" not in shown(app)


def test_element_that_never_was_in_the_attic_is_not_called_unused(shop: Shop, open_app: Opener) -> None:
    text = shown(open_app(shop.config, "table:public.customers"))
    assert "table:public.customers is not in the attic and was not" in text
    assert "its uses could not be seen" in text
    assert "Only failed statements were read since" in text
    assert "no use" not in text
    assert "unused" not in text


def test_element_that_nobody_could_look_up_may_be_in_the_attic(
    free_port: int, tmp_path: Path, open_app: Opener
) -> None:
    config = shops.write_config(tmp_path, f"host=127.0.0.1 port={free_port} dbname=shop")
    text = shown(open_app(config, "table:public.customers"))
    assert "may or may not be in the attic" in text
    assert "No log was read since" in text


def test_text_that_is_no_element_is_one_line(shop: Shop, open_app: Opener) -> None:
    app = open_app(shop.config, "users_old")
    (error,) = app.error
    assert "no kind before a colon" in error.value.replace("\\", "")
    assert len(app.selectbox) == 1


def test_choosing_another_element_changes_page_and_address(shop: Shop, open_app: Opener) -> None:
    app = open_app(shop.config, shops.MONTHLY_SALES)
    app.selectbox[0].set_value(str(shops.USERS_OLD)).run()
    assert shops.USERS_OLD.path in app.title[0].value.replace("\\", "")
    assert app.query_params["element"] in (str(shops.USERS_OLD), [str(shops.USERS_OLD)])


def test_database_down_still_shows_the_evidence(free_port: int, tmp_path: Path, open_app: Opener) -> None:
    shops.write_evidence(Store(tmp_path / "evidence"), datetime.now(UTC))
    config = shops.write_config(tmp_path, f"host=127.0.0.1 port={free_port} dbname=shop")
    app = open_app(config, shops.LEGACY_STATUS)
    text = shown(app)
    assert len(app.warning) == 1
    assert "The database did not answer" in text
    assert "shop-web" in text
    assert "unknown" in text


def test_nothing_in_the_attic_leads_back_to_the_overview(
    free_port: int, tmp_path: Path, open_app: Opener
) -> None:
    config = shops.write_config(tmp_path, f"host=127.0.0.1 port={free_port} dbname=shop")
    app = open_app(config)
    app.switch_page("views/element.py").run()
    assert not app.exception
    assert "Overview" in [link.label for link in app.page_link]


def test_written_element_is_read_as_sql_reads_it(shop: Shop, open_app: Opener) -> None:
    app = open_app(shop.config, "table:PUBLIC.Users_Old")
    assert Element.parse("table:public.users_old").path in app.title[0].value.replace("\\", "")
