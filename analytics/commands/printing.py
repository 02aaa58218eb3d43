"""What several of the commands print alike."""

from rich.table import Table

from catalog.terminal import console

SIGNS = {True: "[green]✓[/]", False: "[red]✗[/]", None: "[yellow]?[/]"}
# Longer lines are hard to read.
_READABLE = 110
NOTHING = "Nothing is in the attic of this database."


def print_hanging(sign: str, text: str) -> None:
    """Print a sign and a text; in a terminal, what is too long goes on under its own beginning.

    Otherwise it is a line, whatever its length: a program reads it, or somebody searches for words in it.
    """
    if not console.is_terminal:
        console.print(f"{sign} {text}", soft_wrap=True)
        return
    grid = Table.grid(padding=(0, 1))
    grid.add_row(sign, text)
    console.print(grid, width=min(console.width, _READABLE))


def print_lines(*lines: tuple[str, str]) -> None:
    """Print signs and texts; a text that is too long goes on under its own beginning."""
    if not lines:
        return
    grid = Table.grid(padding=(0, 1))
    for sign, text in lines:
        grid.add_row("", sign, text)
    console.print(grid)
