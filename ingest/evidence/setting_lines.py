"""Lines by which the server itself tells that it read its configuration anew, and what changed by that.

Such a line names the setting in every language, so no words have to be known to find a change. That a reload
is told is asked of the server's very words: only who understands them may conclude anything from silence.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ingest.evidence.columns import column
from ingest.evidence.languages import is_reload
from ingest.evidence.messages import decoder

# What decides whether failed statements are in the log, and where the log is.
_SETTINGS = (
    "log_destination",
    "log_directory",
    "log_filename",
    "log_min_error_statement",
    "log_min_messages",
)
# As somebody has written it: the server does not mind capitals.
_NAMES_ONE = rf"(?i)\b(?:{'|'.join(_SETTINGS)})\b"
_SIGNAL = "SIGHUP"
_NOBODY = pa.scalar(b"", pa.binary())


@dataclass(frozen=True, slots=True)
class SettingLines:
    """When lines of a log tell of a reload, and of a change of a setting that matters to failed statements.

    Of both only the times are kept: what a setting was changed to may be a secret.
    """

    reloads: tuple[datetime, ...] = ()
    changes: tuple[datetime, ...] = ()

    def __add__(self, other: "SettingLines") -> "SettingLines":
        """What both tell."""
        return SettingLines(self.reloads + other.reloads, self.changes + other.changes)


def setting_lines(records: pa.Table) -> SettingLines:
    """What the lines of a table of RECORD tell; the server writes them in no database."""
    lines = records.filter(pc.equal(records["database"], _NOBODY))
    messages = column(lines, "message")
    decode = decoder("UTF8")
    may_reload = lines.filter(pc.match_substring(messages, _SIGNAL))
    reloads: list[Any] = may_reload.select(["occurred_at", "message"]).to_pylist()
    changes: list[Any] = lines.filter(pc.match_substring_regex(messages, _NAMES_ONE))[
        "occurred_at"
    ].to_pylist()
    return SettingLines(
        tuple(line["occurred_at"] for line in reloads if is_reload(decode(line["message"]))), tuple(changes)
    )
