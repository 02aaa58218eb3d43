"""Choosing among what is in the attic, by element or by migration."""

from collections.abc import Sequence
from typing import Annotated

import typer

from catalog.elements import Element
from migrations.sensors import Selection

ChosenArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[ELEMENT|MIGRATION]...",
        help="Former names (table:public.users_old) or migrations; all where none is named.",
    ),
]


def chosen(names: Sequence[str] | None) -> Selection:
    """What was named on the command line; a colon tells an element from a migration."""
    given = names or ()
    return Selection(
        migrations=tuple(name for name in given if ":" not in name),
        elements=tuple(Element.parse(name) for name in given if ":" in name),
    )
