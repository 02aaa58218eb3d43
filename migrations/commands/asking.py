"""Asking a person before something is changed."""

import sys
from typing import Annotated

import typer

from migrations.errors import RefusedError

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def ask(question: str) -> None:
    """Go on only after a yes; raise RefusedError otherwise, and where nobody is there to say it."""
    if not sys.stdin.isatty():
        raise RefusedError("nobody there to confirm; nothing was changed", todo="Repeat with --yes")
    if not typer.confirm(question):
        raise RefusedError("not confirmed; nothing was changed")
