"""A real webhook on this machine, that can fail, hang, and come back."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import pytest

from tests.waiting import PATIENCE_SECONDS


@dataclass
class Webhook:
    """What arrived, and how the next call is answered: with a status, or not before `release` is set.

    Who calls `url` waits for an answer as long as it takes, who calls `impatient_url` for a second.
    """

    url: str = ""
    impatient_url: str = ""
    status: int = 200
    hangs: bool = False
    calls: list[dict[str, Any]] = field(default_factory=list)
    answers: int = 0
    called: Event = field(default_factory=Event)
    release: Event = field(default_factory=Event)

    @property
    def texts(self) -> list[str]:
        """The bodies of the messages that were taken."""
        return [call["message"] for call in self.calls if call["status"] == 200]


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    """A webhook that takes everything."""
    found = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            found.calls.append(body | {"status": found.status})
            found.called.set()
            if found.hangs:
                found.release.wait(PATIENCE_SECONDS)
            found.answers += 1
            try:
                self.send_response(found.status)
                self.end_headers()
            except OSError:
                pass

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    address = f"json://user:secret@127.0.0.1:{server.server_port}/hook"
    found.url = f"{address}?rto={PATIENCE_SECONDS}&cto={PATIENCE_SECONDS}"
    found.impatient_url = f"{address}?rto=1&cto={PATIENCE_SECONDS}"
    yield found
    found.release.set()
    server.shutdown()
    server.server_close()
    thread.join()
