"""Connects alerting with the command that ingests: what it calls for each batch, and what runs beside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from analytics.alerting.worker import Worker
from analytics.alerts import Alerts
from analytics.alerts import describe as describe  # noqa: PLC0414 what goes with it
from ingest.job import Job, now


@contextmanager
def alerting(job: Job) -> Iterator[Alerts]:
    """The alerts of a job's batches, delivered as long as it goes on.

    Raises SettingsError where they are configured wrongly.
    """
    settings = job.settings
    data = settings.data.model_copy(update={"directory": job.data_directory})
    settings = settings.model_copy(update={"data": data})
    if not settings.database.dsn:
        # What no log tells is looked for in a database.
        alerts = settings.alerts.model_copy(update={"check_every": settings.alerts.check_every * 0})
        settings = settings.model_copy(update={"alerts": alerts})
    if job.follows:
        # The first alert is not to wait for what takes long to load; a run that ends may never need it.
        import_module("analytics.store")
    with Worker(settings, job.call.connect, now):
        yield Alerts(settings.alerts, job.data_directory, settings.policy.known_readers)
