"""Tables as files for other programs."""

from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from analytics.errors import ReportError
from catalog.errors import os_error_as
from catalog.files import write_atomically


def write_tables(rows: pa.Table, csv: Path | None, parquet: Path | None) -> None:
    """Write the same rows as the files that were asked for; raises ReportError."""
    if csv:
        write_table(csv, rows, as_csv=True)
    if parquet:
        write_table(parquet, rows, as_csv=False)


def write_table(path: Path, rows: pa.Table, *, as_csv: bool) -> None:
    """Write CSV (UTF-8, with a line of names, times in UTC) or Parquet; raises ReportError."""
    content = BytesIO()
    if as_csv:
        pyarrow.csv.write_csv(rows, content)
    else:
        pyarrow.parquet.write_table(rows, content)
    with os_error_as(ReportError, "cannot be written", where=path):
        write_atomically(path, content.getvalue())
