"""Streamlit as a process of its own: started, watched until it answers, sent our signals, ended."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from dashboard.errors import AddressUnusableError, PortInUseError, StartFailedError

APP = Path(__file__).with_name("app.py")
CONFIG_VARIABLE = "PGATTIC_CONFIG"
LOCALHOST = ("127.0.0.1", "localhost", "::1")
_START_SECONDS = 60
_STOP_SECONDS = 5
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# As flags, which win over any config.toml or STREAMLIT_ variable that lies about.
_OPTIONS = {
    "browser.gatherUsageStats": "false",
    "server.showEmailPrompt": "false",
    "server.fileWatcherType": "none",
    "client.toolbarMode": "viewer",
    # An uncaught error is told by its type alone; its text may hold data and goes to the server's log.
    "client.showErrorDetails": "type",
    "client.showErrorLinks": "false",
    "logger.hideWelcomeMessage": "true",
    "logger.level": "warning",
    "runner.magicEnabled": "false",
    "theme.baseRadius": "0.4rem",
    "theme.baseFontSize": "15",
    "theme.headingFontSizes": '["1.9rem", "1.3rem", "1.1rem"]',
    "theme.metricValueFontSize": "1.7rem",
    "theme.codeFontSize": "0.85rem",
    "theme.showSidebarBorder": "true",
    "theme.paddingTop": "0.5rem",
    "theme.paddingBottom": "2rem",
    "theme.light.primaryColor": "#0f6cbd",
    "theme.dark.primaryColor": "#62abf5",
}


class DashboardServer:
    """The dashboard on an address and port; a context manager that ends it on exit."""

    def __init__(
        self, config: Path | None, *, address: str = "127.0.0.1", port: int = 8501, headless: bool = True
    ) -> None:
        self._config = config
        self._address = address
        self._port = port
        self._headless = headless
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where a browser finds it."""
        # 0.0.0.0 and :: mean "every address of this machine", which is not one to go to.
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "::1": "[::1]"}.get(self._address, self._address)  # noqa: S104
        return f"http://{host}:{self._port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def run(self, on_ready: Callable[[str], None]) -> int:
        """Serve until told to end; return the exit code. `on_ready` is told the URL when it answers.

        Signals that end programs are handed on to Streamlit. Call it in the main thread.
        """
        told_to_end = False

        def forward(number: int, _: FrameType | None) -> None:
            nonlocal told_to_end
            told_to_end = True
            if self._process is not None:
                self._process.send_signal(signal.SIGTERM if number == signal.SIGHUP else number)

        before = {number: signal.signal(number, forward) for number in _FORWARDED}
        try:
            with self:
                on_ready(self.url)
                return 0 if self._wait() or told_to_end else 1
        except StartFailedError:
            if told_to_end:
                return 0
            raise
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def start(self) -> None:
        """Start Streamlit and return when it answers; raises a DashboardError that says why it does not."""
        check_port(self._address, self._port)
        # A session of its own: Ctrl-C reaches it once, from us, and not twice.
        self._process = subprocess.Popen(
            self._command(),
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            self._await_answer()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it, by force where it does not end by itself."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _wait(self) -> bool:
        """Whether Streamlit ended well."""
        assert self._process is not None, "start() comes first"
        return self._process.wait() == 0

    def _command(self) -> list[str]:
        options = {
            **_OPTIONS,
            "server.address": self._address,
            "server.port": str(self._port),
            "server.headless": str(self._headless).lower(),
            "browser.serverAddress": self.url.removeprefix("http://").rpartition(":")[0],
        }
        flags = [f"--{name}={value}" for name, value in options.items()]
        # A foreign page whose name resolves to this machine must not read the evidence (DNS rebinding).
        hosts = [f"--server.allowedHosts={host}" for host in LOCALHOST if self._address in LOCALHOST]
        return [sys.executable, "-m", "streamlit", "run", str(APP), *flags, *hosts]

    def _environment(self) -> dict[str, str]:
        environment = {key: value for key, value in os.environ.items() if key != CONFIG_VARIABLE}
        if self._config is not None:
            environment[CONFIG_VARIABLE] = str(self._config.resolve())
        return environment

    def _await_answer(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if (code := self._process.poll()) is not None:
                raise StartFailedError(
                    f"Streamlit ended with {code}", where=self.url, todo="What it printed above says why"
                )
            if _answers(f"{self.url}/_stcore/health"):
                return
            time.sleep(0.1)
        raise StartFailedError(f"no answer within {_START_SECONDS} s", where=self.url)


def check_port(address: str, port: int) -> None:
    """Raise PortInUseError or AddressUnusableError unless this machine can listen there."""
    where = f"{address}:{port}"
    try:
        family, kind, protocol, _, target = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise AddressUnusableError(
            f"not an address ({error.strerror})", where=where, todo="Give one with --address"
        ) from error
    with socket.socket(family, kind, protocol) as probe:
        # As the server does it: connections that are only closing do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(target)
            probe.listen()
        except OSError as error:
            if error.errno == 98 or "in use" in str(error).lower():
                raise PortInUseError(
                    "another program listens there", where=where, todo="Give a free port with --port"
                ) from error
            raise AddressUnusableError(
                f"cannot listen there ({error.strerror})",
                where=where,
                todo="Give another --address, or a --port from 1024 on",
            ) from error


def _answers(url: str) -> bool:
    # No proxy of the environment stands between us and this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
