"""A shop with an attic, built once; tests that change something build their own."""

import os
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Element

from catalog.database import Database, identifier
from catalog.throwaway import ThrowawayServer
from dashboard.data import forget
from dashboard.server import APP, CONFIG_VARIABLE
from tests.dashboard import shop as shops

Opener = Callable[..., AppTest]
_SECONDS = 60


@dataclass(frozen=True)
class Shop:
    """Where the shop is: its configuration file, and the moment until which its evidence tells."""

    config: Path
    now: datetime


@pytest.fixture(scope="session")
def shop(server18: ThrowawayServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The shop on PostgreSQL 18; nobody may change it."""
    name, folder, now = f"shop_{os.getpid()}", tmp_path_factory.mktemp("shop"), datetime.now(UTC)
    with Database.connect(server18.dsn()) as admin:
        admin.execute(f"CREATE DATABASE {identifier(name)}")
        with Database.connect(server18.dsn(name)) as db:
            shops.build(db, folder / "evidence", now)
        yield Shop(shops.write_config(folder, server18.dsn(name)), now)
        admin.execute(f"DROP DATABASE {identifier(name)} WITH (FORCE)")


@pytest.fixture
def open_app(monkeypatch: pytest.MonkeyPatch) -> Opener:
    """Open the app with a configuration file, on its overview or on the page of an element."""

    def opened(config: Path, element: object | None = None) -> AppTest:
        monkeypatch.setenv(CONFIG_VARIABLE, str(config))
        forget()
        app = AppTest.from_file(APP, default_timeout=_SECONDS)
        if element is not None:
            app.query_params["element"] = str(element)
            app.switch_page("views/element.py")
        app.run()
        assert not app.exception
        return app

    return opened


@pytest.fixture
def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def shown(app: AppTest) -> str:
    """What a person reads on the page: its texts without their Markdown."""
    kinds = ("title", "subheader", "markdown", "caption", "warning", "error", "code")
    texts = [each.value for kind in kinds for each in app.get(kind) if isinstance(each, Element)]
    texts += [link.label for link in app.page_link]
    texts += [str(cell) for table in app.table for cell in table.value.to_numpy().ravel()]
    return plain_text("\n".join(texts))


def plain_text(markdown: str) -> str:
    """The text that Markdown shows, as far as the pages use it."""
    without_icons = re.sub(r":material/\w+: ?", "", markdown)
    without_colors = re.sub(r":[\w-]+\[((?:[^\]\\]|\\.)*)\]", r"\1", without_icons)
    return re.sub(r"\\(.)", r"\1", without_colors).replace("**", "")
