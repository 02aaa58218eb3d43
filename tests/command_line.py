"""Runs pgattic's commands in this process, as the console script does."""

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import pgattic


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


class CommandLine:
    """Calls commands with a configuration file of its own."""

    def __init__(
        self, config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.config = config
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def __call__(self, *arguments: str) -> Ended:
        self._monkeypatch.setattr(sys, "argv", ["pgattic", "--config", str(self.config), *arguments])
        self._capsys.readouterr()
        code = 0
        try:
            pgattic.run()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        seen = self._capsys.readouterr()
        return Ended(code, seen.out, seen.err)
