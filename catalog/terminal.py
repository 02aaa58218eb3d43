"""What every command shares: the configuration it was given, the console it prints to, `--json`."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, is_dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

from catalog.database import Database
from catalog.elements import Element
from catalog.errors import SettingsError
from catalog.settings import Settings, load_settings

_WIDEST = 10_000
# Longer lines of prose are hard to read.
_READABLE = 110

console = Console(highlight=False)
error_console = Console(stderr=True, highlight=False)

JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON and nothing else.")]


@dataclass
class Invocation:
    """What the global options said; `ctx.obj` of every command."""

    config: Path | None = None

    @cached_property
    def settings(self) -> Settings:
        """The configuration; raises SettingsError."""
        return load_settings(self.config)

    def connect(self) -> Database:
        """Connect to the configured database; raises SettingsError or ConnectionFailedError."""
        database = self.settings.database
        if not database.dsn:
            raise SettingsError(
                "key 'database.dsn' is not set",
                where=str(self.config or "pgattic.toml"),
                todo="Run `pgattic init --dsn …` or set PGATTIC_DATABASE__DSN",
            )
        return Database.connect(
            database.dsn,
            lock_timeout_ms=database.lock_timeout_ms,
            statement_timeout_ms=database.statement_timeout_ms,
        )


def invocation(ctx: typer.Context) -> Invocation:
    """The invocation that a command belongs to."""
    found = ctx.find_object(Invocation)
    assert found is not None, "pgattic.py sets it before any command runs"
    return found


def print_json(value: Any) -> None:
    """Print dataclasses, elements, times and paths as JSON."""
    typer.echo(json.dumps(value, default=_plain, indent=2, ensure_ascii=False))


def _plain(value: Any) -> Any:
    match value:
        case Element() | Path():
            return str(value)
        case datetime() | date():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {field: getattr(value, field) for field in value.__dataclass_fields__}
        case set() | frozenset():
            return sorted(value)
        case _:
            raise TypeError(f"no JSON for {type(value).__name__}")


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows as a table; cells are text (rich markup allowed) or anything with a str().

    Nothing is ever cut off: where a table is too wide, each row stands in lines of its own.
    """
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    table = Table(*columns, title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for row in cells:
        table.add_row(*row)
    wanted = Measurement.get(console, console.options.update(max_width=_WIDEST), table).maximum
    if wanted <= console.width:
        console.print(table)
        return
    if not console.is_terminal:
        # Another program reads a row as a line.
        Console(highlight=False, width=wanted).print(table)
        return
    console.print(f"[bold]{title}[/]")
    for number, row in enumerate(cells):
        if number:
            console.print()
        _print_record(columns, row)


def _print_record(columns: Sequence[str], row: Sequence[str]) -> None:
    """Print the cells of a row that are not empty, each after its column's name, as many in a line as fit."""
    indent, between = 2, "  "
    cells = [
        Text.from_markup(f"[dim]{column}[/] {cell}", overflow="fold")
        for column, cell in zip(columns, row, strict=True)
        if cell
    ]
    # The first cell says what the row is about.
    lines = cells[:1]
    for cell in cells[1:]:
        if len(lines) > 1 and indent + lines[-1].cell_len + len(between) + cell.cell_len <= console.width:
            lines[-1] = Text.assemble(lines[-1], between, cell, overflow="fold")
        else:
            lines.append(cell)
    for number, line in enumerate(lines):
        console.print(Padding(line, (0, 0, 0, indent if number else 0), expand=False))


def print_hanging(label: str, text: str) -> None:
    """Print a text whose further lines begin under its first one; both may have markup.

    Where no terminal is, it is one line, whatever its length: a program reads it, or somebody searches for
    words in it. Nothing is ever cut off: a word that is longer than a line goes on in the next one.
    """
    if not console.is_terminal:
        console.print(f"{label} {text}", soft_wrap=True)
        return
    grid = Table.grid(Column(no_wrap=True), Column(overflow="fold"), padding=(0, 1))
    grid.add_row(label, text)
    console.print(grid, width=min(console.width, _READABLE))


def when(moment: datetime | None) -> str:
    """A time as people read it, in UTC, to the second."""
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else "never"


def many(count: int, thing: str) -> str:
    """A number of things, in the singular where it is one."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def size(count_bytes: float) -> str:
    """A number of bytes as people read it."""
    for unit in ("B", "kB", "MB", "GB"):
        if count_bytes < 1024 or unit == "GB":
            return f"{count_bytes:.0f} {unit}" if unit == "B" else f"{count_bytes:.1f} {unit}"
        count_bytes /= 1024
    raise AssertionError
