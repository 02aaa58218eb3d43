"""Tables as files for other programs."""

from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from analytics.errors import ReportError
from catalog.files import write_atomically


def write_table(path: Path, rows: pa.Table, *, as_csv: bool) -> None:
    """Write CSV (UTF-8, with a line of names, times in UTC) or Parquet; raises ReportError."""
    content = BytesIO()
    if as_csv:
        pyarrow.csv.write_csv(rows, content)
    else:
        pyarrow.parquet.write_table(rows, content)
    try:
        write_atomically(path, content.getvalue())
    except OSError as error:
        raise ReportError(f"cannot be written: {error.strerror}", where=str(path)) from error
