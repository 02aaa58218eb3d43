"""The real process in a real browser: what a person sees."""

import re
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.server import DashboardServer
from tests.dashboard import shop as shops
from tests.dashboard.chromium import PROGRAM, Page
from tests.dashboard.conftest import Shop
from tests.dashboard.test_overview import VERDICTS

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(PROGRAM is None, reason="no chromium on the PATH (Debian: apt-get install chromium)"),
]

FAULTS = "[data-testid=stException], [data-testid=stAlertContentError]"


@pytest.fixture
def url(shop: Shop, free_port: int) -> Iterator[str]:
    """The dashboard of the shop, served by its own process."""
    with DashboardServer(shop.config, port=free_port) as server:
        yield server.url


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    """A browser with a profile of its own."""
    with Page(tmp_path / "profile") as page:
        yield page


def test_both_pages_show_what_they_promise(url: str, page: Page) -> None:
    page.open(url)
    text = page.wait_for("Elements in the attic", "Newest alerts", "Coverage", "Refresh")
    for element, verdict in VERDICTS.items():
        # The name of the badge's icon stands before its word.
        assert re.search(rf"{re.escape(element.path)}\s+\w+ {verdict.value} \d+ days in the attic", text), (
            text
        )
    assert "Traceback" not in text
    assert page.evaluate(f"document.querySelectorAll('{FAULTS}').length") == 0
    page.wait_until("document.querySelectorAll('.vega-embed :is(canvas, svg.marks)').length == 2")

    # A click on an element opens its page without loading the app anew.
    page.evaluate("window.wasHere = true")
    page.evaluate(
        "[...document.querySelectorAll('[data-testid=stPageLink-NavLink]')]"
        f".find(link => link.innerText.includes('{shops.MONTHLY_SALES.path}')).click()"
    )
    text = page.wait_for("Who uses it", "The way back", shops.STATEMENTS["s-sales-count"])
    assert page.evaluate("window.wasHere") is True
    address = urllib.parse.urlsplit(page.evaluate("location.href"))
    assert urllib.parse.parse_qs(address.query) == {"element": [str(shops.MONTHLY_SALES)]}
    assert "not ready" in text
    assert "monthly_report" in text
    assert "Traceback" not in text
    assert page.evaluate(f"document.querySelectorAll('{FAULTS}').length") == 0

    # The same page by its address alone.
    page.open(f"{url}/element?element={shops.USERS_OLD}")
    text = page.wait_for("The logs show no use since", shops.USERS_OLD.path)
    assert "every rule is met" in text
    assert page.evaluate(f"document.querySelectorAll('{FAULTS}').length") == 0


def test_names_are_not_cut_off_on_a_small_screen(url: str, tmp_path: Path) -> None:
    with Page(tmp_path / "profile", width=800) as page:
        page.open(url)
        page.wait_for("Newest alerts", "Coverage")
        cut = page.evaluate(
            "[...document.querySelectorAll('[data-testid=stMain] [data-testid=stPageLink-NavLink] span')]"
            ".filter(label => label.scrollWidth > label.clientWidth + 1).map(label => label.innerText)"
        )
        assert page.text().count(shops.MONTHLY_SALES.path) >= 2
    assert cut == []


def test_the_app_asks_no_other_machine(url: str, page: Page) -> None:
    page.open(url)
    page.wait_for("Newest alerts")
    page.wait_until("!!document.querySelector('.vega-embed :is(canvas, svg.marks)')")
    asked = page.evaluate("performance.getEntriesByType('resource').map(entry => entry.name)")
    assert asked
    assert [name for name in asked if not name.startswith((url, "data:", "blob:"))] == []
