"""The command line: puts together each folder's own commands, and turns errors into one clear line."""

import sys
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

import analytics.cli
import dashboard.cli
import demo.cli
import ingest.cli
import migrations.cli
from analytics.alerts import alerts_for, describe
from catalog.errors import PgatticError
from catalog.terminal import Invocation, error_console

app = typer.Typer(
    name="pgattic",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def pgattic(
    ctx: typer.Context,
    config: Annotated[
        Path | None, typer.Option(envvar="PGATTIC_CONFIG", help="Configuration file; default ./pgattic.toml.")
    ] = None,
) -> None:
    """Put unused PostgreSQL elements in the attic before anyone throws them out.

    A reversible rename, a watch over every trace of use, and a verdict that shows its evidence. Nothing is
    ever dropped.
    """
    ctx.obj = Invocation(config)


migrations.cli.register(app)
analytics.cli.register(app)
ingest.cli.register(app, alerting=alerts_for, describe=describe)
dashboard.cli.register(app)
demo.cli.register(app)


class _WithoutPandas(MetaPathFinder):
    """Keeps pandas out of the process: pyarrow loads it whenever it is installed, and does well without.

    The dashboard, which needs it, is a process of its own; every other command starts a second faster.
    """

    def find_spec(self, name: str, path: object, target: object = None) -> None:  # noqa: ARG002
        if name == "pandas":
            raise ImportError("commands do not use pandas", name=name)


def main() -> None:
    """The console script."""
    sys.meta_path.insert(0, _WithoutPandas())
    run()


def run() -> None:
    """Run a command; exit codes: 0 fine, 1 finding or refusal, 2 wrong use or configuration."""
    try:
        app()
    except PgatticError as error:
        error_console.print(f"[bold red]error:[/] {_one_line(error)}", soft_wrap=True)
        for detail in error.details:
            error_console.print(f"  - {_one_line(detail)}", soft_wrap=True)
        sys.exit(error.exit_code)


def _one_line(error: PgatticError | str) -> str:
    return escape(" ".join(str(error).split()))


if __name__ == "__main__":
    main()
