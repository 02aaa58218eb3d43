"""The command `impact`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import typer
from rich.markup import escape

from analytics.commands.printing import NOTHING, print_lines
from analytics.export import write_tables
from analytics.impact import Impact, impacts
from catalog.elements import Element
from catalog.reading import read_snapshot
from catalog.terminal import JsonOption, console, invocation, print_json

_EXPORTED: Sequence[tuple[str, pa.DataType]] = [
    ("element", pa.string()),
    ("present", pa.string()),
    ("figure", pa.string()),
    ("value", pa.float64()),
    ("unit", pa.string()),
    ("said", pa.string()),
    ("source", pa.string()),
]


def impact(
    ctx: typer.Context,
    element: Annotated[
        str | None,
        typer.Argument(help="An element, as index:public.orders_idx; all in the attic by default."),
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="Write a CSV file, a line a figure.")] = None,
    parquet: Annotated[Path | None, typer.Option(help="Write a Parquet file, a row a figure.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what keeping an element costs: space, writes, vacuum, cache, backup, and where that is known from.

    Example: pgattic impact index:public.order_status_idx
    """
    wanted = Element.parse(element) if element else None
    with invocation(ctx).connect() as db:
        found = impacts(db, read_snapshot(db), wanted)
    write_tables(_rows(found), csv, parquet)
    if as_json:
        print_json(found)
    elif csv or parquet:
        return
    elif not found:
        console.print(NOTHING)
    else:
        for one in found:
            now = f"  [dim]now {escape(str(one.present))}[/]" if one.present != one.element else ""
            console.print(f"\n[bold]{escape(str(one.element))}[/]{now}", soft_wrap=True)
            print_lines(
                *(
                    ("[yellow]?[/]" if figure.value is None else "-",
                     f"{figure.name}: {escape(figure.said)} [dim]({escape(figure.source)})[/]")
                    for figure in one.figures
                )
            )  # fmt: skip


def _rows(found: Sequence[Impact]) -> pa.Table:
    """A row a figure: element, present, figure, value (null where it is not known), unit, said, source."""
    rows = [
        {
            "element": str(one.element),
            "present": str(one.present),
            "figure": figure.name,
            "value": figure.value,
            "unit": figure.unit,
            "said": figure.said,
            "source": figure.source,
        }
        for one in found
        for figure in one.figures
    ]
    return pa.Table.from_pylist(rows, schema=pa.schema(_EXPORTED))
