"""The commands that change a database, and those that show what was changed."""

import typer

from migrations.commands import audit, breaker
from migrations.commands.apply import apply
from migrations.commands.approve import approve
from migrations.commands.arm import arm
from migrations.commands.checkpoint import checkpoint
from migrations.commands.disarm import disarm
from migrations.commands.guard import guard
from migrations.commands.init import init
from migrations.commands.plan import plan
from migrations.commands.prove import prove
from migrations.commands.rollback import rollback
from migrations.commands.status import status


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (init, plan, approve, apply, arm, disarm, guard, prove, rollback, status):
        app.command()(command)
    app.add_typer(audit.app, name="audit")
    app.add_typer(breaker.app, name="breaker")
    app.add_typer(checkpoint, name="checkpoint")
