"""Make the pictures of the documentation: `python -m tests.dashboard.screenshots docs/images`."""

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from catalog.database import Database
from catalog.throwaway import ThrowawayServer
from dashboard.server import DashboardServer
from tests.dashboard import shop
from tests.dashboard.chromium import Page

_PORT = 8599
_PAGES = {
    "overview": ("", "Newest alerts"),
    "element": (f"element?element={shop.MONTHLY_SALES}", "The way back"),
}


def main(folder: Path, *, dark: bool = False) -> None:
    """Build the shop, open both pages, take a picture of each."""
    with tempfile.TemporaryDirectory(prefix="shop-") as name, ThrowawayServer() as server:
        place = Path(name)
        with Database.connect(server.dsn()) as admin:
            admin.execute("CREATE DATABASE shop")
        with Database.connect(server.dsn("shop")) as db:
            shop.build(db, place / "evidence", datetime.now(UTC))
        config = shop.write_config(place, server.dsn("shop"))
        with DashboardServer(config, port=_PORT) as dashboard, Page(place / "chromium", dark=dark) as page:
            for picture, (path, text) in _PAGES.items():
                page.open(f"{dashboard.url}/{path}")
                page.wait_for(text, "Refresh")
                page.screenshot(folder / f"{picture}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]), dark="--dark" in sys.argv)
