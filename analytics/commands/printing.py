"""What several of the commands print alike."""

from rich.table import Column, Table

from catalog.terminal import console

SIGNS = {True: "[green]✓[/]", False: "[red]✗[/]", None: "[yellow]?[/]"}
NOTHING = "Nothing is in the attic of this database."


def print_lines(*lines: tuple[str, str]) -> None:
    """Print signs and texts; a text that is too long goes on under its own beginning."""
    if not lines:
        return
    grid = Table.grid("", Column(no_wrap=True), Column(overflow="fold"), padding=(0, 1))
    for sign, text in lines:
        grid.add_row("", sign, text)
    console.print(grid)
