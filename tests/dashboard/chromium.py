"""A headless Chromium driven through its DevTools protocol over a pipe: no driver program, no port."""

import base64
import contextlib
import fcntl
import itertools
import json
import os
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)


class Page:
    """One page of one browser; a context manager that ends the browser on exit."""

    def __init__(self, profile: Path, *, width: int = 1400, height: int = 1000, dark: bool = False) -> None:
        self._width = width
        self._height = height
        self._dark = dark
        self._numbers = itertools.count(1)
        self._buffer = b""
        self._session: str | None = None
        assert PROGRAM is not None
        reads, self._to = os.pipe()
        self._from, writes = os.pipe()
        self._process = subprocess.Popen(
            [PROGRAM, *_FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}"],
            # Chromium reads commands from its descriptor 3 and answers on 4.
            preexec_fn=lambda: _place(reads, writes),  # noqa: PLW1509 (no other thread of the test forks)
            pass_fds=(3, 4),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(reads)
        os.close(writes)

    def __enter__(self) -> Self:
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._resize(self._height)
        scheme = "dark" if self._dark else "light"
        self._call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._to)
        os.close(self._from)

    def open(self, url: str) -> None:
        """Go to a page; what it shows arrives later."""
        self._call("Page.navigate", url=url)

    def text(self) -> str:
        """What a person could read on the page now."""
        return str(self.evaluate("document.body ? document.body.innerText : ''"))

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"].get("value")

    def wait_for(self, *texts: str, seconds: float = 90) -> str:
        """Wait until all texts are there and Streamlit has nothing left to do; return what is on the page."""
        deadline = time.monotonic() + seconds
        shown = ""
        while time.monotonic() < deadline:
            shown = self.text()
            if all(text in shown for text in texts) and self._is_idle():
                return shown
            time.sleep(0.1)
        missing = [text for text in texts if text not in shown]
        raise AssertionError(f"after {seconds} s missing {missing} in:\n{shown}")

    def wait_until(self, expression: str, seconds: float = 90) -> None:
        """Wait until a JavaScript expression is true."""
        deadline = time.monotonic() + seconds
        while not self.evaluate(expression):
            assert time.monotonic() < deadline, f"not so after {seconds} s: {expression}"
            time.sleep(0.1)

    def screenshot(self, path: Path) -> None:
        """Take a picture of the whole page, however long it is."""
        main = "document.querySelector('[data-testid=stMain]')"
        self._resize(int(self.evaluate(f"{main}.scrollHeight")))
        # Charts draw themselves anew when their frame changes.
        time.sleep(1)
        path.write_bytes(base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"]))

    def _is_idle(self) -> bool:
        return bool(
            self.evaluate(
                "!document.querySelector('[data-testid=stStatusWidget], [data-testid=stSkeleton]')"
                " && !document.querySelector('[data-stale=true]')"
            )
        )

    def _resize(self, height: int) -> None:
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=self._width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next_message()
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                result: dict[str, Any] = answer["result"]
                return result

    def _next_message(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._from], [], [], 30)
            chunk = os.read(self._from, 1 << 20) if ready else b""
            if not chunk:
                raise RuntimeError("Chromium ended or does not answer")
            self._buffer += chunk
        raw, self._buffer = self._buffer.split(b"\0", 1)
        message: dict[str, Any] = json.loads(raw)
        return message


def _place(reads: int, writes: int) -> None:
    # Copies above 9 first: one of the two could be 3 or 4 itself.
    reads, writes = fcntl.fcntl(reads, fcntl.F_DUPFD, 10), fcntl.fcntl(writes, fcntl.F_DUPFD, 10)
    os.dup2(reads, 3)
    os.dup2(writes, 4)
