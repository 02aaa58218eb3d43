"""The commands that answer questions about elements and their evidence."""

import typer

from analytics.commands import alerts
from analytics.commands.coverage import coverage
from analytics.commands.doctor import doctor
from analytics.commands.impact import impact
from analytics.commands.metrics import metrics
from analytics.commands.readiness import readiness
from analytics.commands.report import report
from analytics.commands.scan import scan
from analytics.commands.usage import usage


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (scan, usage, impact, coverage, readiness, report, doctor, metrics):
        app.command()(command)
    app.add_typer(alerts.app, name="alerts")
