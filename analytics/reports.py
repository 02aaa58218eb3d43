"""One self-contained report for the person who decides on a removal: verdicts, evidence, blind spots."""

from collections.abc import Callable, Mapping
from pathlib import Path

from analytics.errors import ReportError
from analytics.grounds import Grounds
from analytics.readiness import readiness
from analytics.report_html import as_html
from analytics.report_markdown import as_markdown
from analytics.report_model import UNSEEN, Judged, Report
from analytics.usage import uses_of
from catalog.files import write_atomically

__all__ = ["UNSEEN", "Judged", "Report", "gather", "write_report"]


def gather(grounds: Grounds) -> Report:
    """Judge everything in the attic and collect the uses that speak against a removal."""
    return Report(
        grounds.snapshot.database,
        grounds.snapshot.server_version,
        grounds.now,
        grounds.policy.said(),
        tuple(
            Judged(found, tuple(uses_of(grounds.evidence, found.element, found.deprecated_at)))
            for found in readiness(grounds)
        ),
    )


def write_report(path: Path, report: Report) -> None:
    """Write the report, whole or not at all: `.html`, `.htm` or `.md`, `.markdown` by the file's suffix."""
    render = _FORMS.get(path.suffix.lower())
    if render is None:
        raise ReportError(
            f"no report of form {path.suffix or '(no suffix)'}",
            where=str(path),
            todo=f"Give a file name that ends in {' or '.join(_FORMS)}",
        )
    try:
        write_atomically(path, render(report).encode())
    except OSError as error:
        raise ReportError(
            f"the report cannot be written: {error.strerror}", where=str(path), todo="Choose another --out"
        ) from error


_FORMS: Mapping[str, Callable[[Report], str]] = {
    ".html": as_html,
    ".htm": as_html,
    ".md": as_markdown,
    ".markdown": as_markdown,
}
