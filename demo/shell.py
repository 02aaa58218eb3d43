"""The demo's shell: runs the real commands as a user would and shows what they print."""

import os
import shlex
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

from rich.text import Text

from catalog.terminal import console
from demo.errors import StepFailedError

MAX_WIDTH = 100
_INDENT = "  "
# Time for a command to stop its own servers and remove its own files before it is killed.
_GRACE_SECONDS = 60.0


def width() -> int:
    """Columns that the demo's text and the commands' output may take."""
    return min(console.width, MAX_WIDTH)


class Shell:
    """A folder, the variables exported there, and the commands typed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._exported: dict[str, str] = {}

    def export(self, name: str, value: str) -> None:
        """Set a variable for the commands that follow."""
        self._exported[name] = value
        _print_prompt("export", f"{name}={shlex.quote(value)}")

    def unset(self, *names: str) -> None:
        """Forget exported variables."""
        for name in names:
            del self._exported[name]
        _print_prompt("unset", *names)

    def run(self, *arguments: str) -> None:
        """Run `pgattic …` to its end; raise StepFailedError where it reports a fault."""
        with self.start(*arguments) as command, console.status(f"[dim]pgattic {arguments[0]} …[/]"):
            exit_code = command.wait()
        console.print()
        if exit_code:
            raise StepFailedError(
                f"`pgattic {arguments[0]}` ended with {exit_code}", todo="Its output stands above"
            )

    def start(self, *arguments: str, label: str = "") -> "Command":
        """Start `pgattic …`; its output appears as it comes, after `label` on every line."""
        _print_prompt("pgattic", *arguments)
        return Command(arguments, self.folder, self._exported, label)


class Command:
    """A running `pgattic` command; a context manager that ends it."""

    def __init__(
        self, arguments: tuple[str, ...], folder: Path, exported: Mapping[str, str], label: str
    ) -> None:
        self._lines: list[tuple[float, str]] = []
        self._arrived = threading.Condition()
        self._label = label
        self._is_stopping = False
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pgattic", *arguments],
            cwd=folder,
            env={**os.environ, **_terminal_environment(label), **exported},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # Ctrl-C is the demo's: it ends each command once, in order, and lets it clean up.
            process_group=0,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait(self) -> int:
        """Wait for its end; return its exit code when all its output is shown."""
        exit_code = self._process.wait()
        self._reader.join()
        return exit_code

    def wait_for(self, text: str, *, seconds: float) -> float:
        """Wait for a line that holds `text`; return when it came, on the monotonic clock."""
        deadline = time.monotonic() + seconds
        with self._arrived:
            while True:
                for at, line in self._lines:
                    if text in line:
                        return at
                left = deadline - time.monotonic()
                if left <= 0 or not self._reader.is_alive():
                    raise StepFailedError(f"no line with {text!r} came, {seconds:.0f} s were enough for it")
                self._arrived.wait(min(left, 0.5))

    def wait_for_first_line(self, *, seconds: float) -> None:
        """Wait until it has said anything, or for so long."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._lines, timeout=seconds)

    def stop(self) -> None:
        """End it as Ctrl-C would, with its children; kill it where it does not listen."""
        if self._process.poll() is None:
            # Nobody wants to read how it was interrupted.
            self._is_stopping = True
            self._signal(signal.SIGINT)
            try:
                self._process.wait(_GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                self._signal(signal.SIGKILL)
                self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _signal(self, number: signal.Signals) -> None:
        os.killpg(self._process.pid, number)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if self._is_stopping:
                continue
            at = time.monotonic()
            text = Text.from_ansi(line.rstrip("\n"))
            text.rstrip()
            for part in _wrapped(text, width() - len(_INDENT) - len(self._label)):
                start = _INDENT if part or self._label else ""
                console.print(Text.assemble(start, (self._label, "cyan"), part), soft_wrap=True)
            with self._arrived:
                self._lines.append((at, text.plain))
                self._arrived.notify_all()


def _print_prompt(*words: str) -> None:
    """Print a command line as one would type it, broken where it is too long."""
    text = f"{words[0]} " + " ".join(shlex.quote(word) for word in words[1:])
    lines = textwrap.wrap(
        text,
        width() - 4,
        subsequent_indent=_INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )
    prompt = Text.assemble(("$ ", "bold green"), (" \\\n".join(lines), "bold"))
    console.print(prompt, soft_wrap=True)


def _wrapped(text: Text, columns: int) -> Iterable[Text]:
    """A line in as many as it needs; those after the first are indented further than it is."""
    if text.cell_len <= columns:
        return [text]
    lead = len(text.plain) - len(text.plain.lstrip())
    lines = text[lead:].wrap(console, columns - lead - len(_INDENT))
    for number, line in enumerate(lines):
        line.rstrip()
        line.pad_left(lead + (len(_INDENT) if number else 0))
    return lines


def _terminal_environment(label: str) -> dict[str, str]:
    """What makes a command print into our pipe as it would on our terminal, but without animation."""
    environment = {
        "COLUMNS": str(width() - len(_INDENT) - len(label)),
        "PYTHONUNBUFFERED": "1",
        "TTY_INTERACTIVE": "0",
    }
    return environment | ({"FORCE_COLOR": "1"} if console.is_terminal else {})
