"""The home of apprise: messages to mail, chat and webhooks.

An address is a secret: it may hold a password or be one. It comes from the environment or from a file that
nobody else can read, and no message, log or file of ours has it; an address is called by its kind and place
in the list (`slack 2`).
"""

import logging
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from types import ModuleType
from typing import Any

from analytics.alerting.messages import message
from analytics.errors import NotDeliveredError
from catalog.alert_settings import AlertSettings, Severity
from catalog.errors import SettingsError

_ANSWER_SECONDS = 15
_STATUS = re.compile(r"\berror=(\d{3})\b")
_VARIABLE = "environment variable PGATTIC_ALERTS__URLS"
# apprise warns of failed deliveries with parts of the address.
logging.getLogger("apprise").propagate = False


@dataclass(frozen=True)
class Address:
    """Where messages go."""

    label: str
    _url: str = field(repr=False)
    is_patient: bool = True

    def identity(self, salt: bytes) -> str:
        """The same text for the same address, from which it cannot be told."""
        return blake2b(self._url.encode(), key=salt, digest_size=9).hexdigest()

    def receive(self, alerts: Sequence[Mapping[str, Any]]) -> None:
        """Deliver ALERT rows in one message; raises NotDeliveredError."""
        self.send(*message(alerts))

    def send(self, title: str, body: str, severity: Severity) -> None:
        """Deliver one message; raises NotDeliveredError."""
        apprise = _apprise()
        sender = apprise.Apprise(asset=apprise.AppriseAsset(app_id="pgattic", async_mode=False))
        sender.add(self._url)
        kinds = {
            Severity.CRITICAL: apprise.NotifyType.FAILURE,
            Severity.WARNING: apprise.NotifyType.WARNING,
            Severity.INFO: apprise.NotifyType.INFO,
        }
        result = sender.notify(
            title=title, body=body, notify_type=kinds[severity], body_format="text", timeout=_ANSWER_SECONDS
        )
        if not result:
            raise NotDeliveredError(_reason(" ".join(str(line) for line in result.logs())))


def addresses(settings: AlertSettings) -> Sequence[Address]:
    """The configured addresses; raises SettingsError for one that is none, or a file that others can read."""
    urls, where = _configured(settings)
    found = []
    for number, url in enumerate(urls, 1):
        if not _apprise().Apprise().add(url):
            raise SettingsError(
                f"the address on place {number} is none that apprise knows",
                where=where,
                todo="Write it as https://appriseit.com/services/ tells; one a line in a file",
            )
        found.append(Address(f"{url.partition('://')[0]} {number}", url))
    return found


def _configured(settings: AlertSettings) -> tuple[list[str], str]:
    if settings.urls is not None:
        return settings.urls.get_secret_value().split(), _VARIABLE
    if settings.urls_file is None:
        return [], ""
    lines = (line.strip() for line in _secret_file(settings.urls_file).splitlines())
    return [line for line in lines if line and not line.startswith("#")], str(settings.urls_file)


def _secret_file(path: Path) -> str:
    try:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise SettingsError(
                "key 'alerts.urls_file': others can read the file, and it holds secrets",
                where=str(path),
                todo=f"chmod 600 {path}",
            )
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"key 'alerts.urls_file': cannot be read: {error}", where=str(path)) from error


def _reason(logged: str) -> str:
    """Why, without anything that the address may be made of."""
    status = _STATUS.search(logged)
    return f"HTTP status {status[1]}" if status else "no connection, or no answer in time"


def _apprise() -> ModuleType:
    # A third of a second to load, which only those wait for who send something.
    import apprise  # noqa: PLC0415

    return apprise
