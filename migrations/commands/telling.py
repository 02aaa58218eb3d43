"""What a command tells while it works."""

from collections.abc import Callable

from rich.markup import escape

from catalog.terminal import console


def retries(*, as_json: bool) -> Callable[[str], None]:
    """Tells why something is tried again; JSON stays alone."""
    if as_json:
        return lambda _: None
    return lambda line: console.print(f"  {escape(line)}", style="yellow")
