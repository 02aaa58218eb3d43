"""Addresses are secrets: where they come from, and that nothing ever says them."""

import logging
from pathlib import Path

import pytest
from pydantic import SecretStr

from analytics.errors import NotDeliveredError
from analytics.notify import addresses
from catalog.alert_settings import AlertSettings, Severity
from catalog.errors import SettingsError
from catalog.settings import load_settings
from tests.analytics.fix_webhook import Webhook, webhook

__all__ = ["webhook"]

URL = "json://ann:hunter2@127.0.0.1:1/token"


def test_addresses_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGATTIC_ALERTS__URLS", f"{URL}\n{URL}?x=1")
    settings = load_settings()
    assert [one.label for one in addresses(settings.alerts)] == ["json 1", "json 2"]
    assert "hunter2" not in repr(settings) + repr(addresses(settings.alerts))


def test_addresses_come_from_a_file_that_nobody_else_reads(tmp_path: Path) -> None:
    file = tmp_path / "urls"
    file.write_text(f"# the team\n\n{URL}\n")
    settings = AlertSettings(urls_file=file)
    file.chmod(0o640)
    with pytest.raises(SettingsError, match="others can read the file"):
        addresses(settings)
    file.chmod(0o600)
    assert len(addresses(settings)) == 1
    with pytest.raises(SettingsError, match="cannot be read"):
        addresses(AlertSettings(urls_file=tmp_path / "none"))


def test_addresses_in_the_configuration_file_are_refused_without_saying_them(tmp_path: Path) -> None:
    file = tmp_path / "pgattic.toml"
    file.write_text(f'[alerts]\nurls = "{URL}"\n')
    with pytest.raises(SettingsError, match=r"alerts\.urls.*secret.*PGATTIC_ALERTS__URLS") as refused:
        load_settings(file)
    assert "hunter2" not in str(refused.value)


def test_what_is_no_address_is_told_by_its_place() -> None:
    with pytest.raises(SettingsError, match="place 2") as refused:
        addresses(AlertSettings(urls=SecretStr(f"{URL} hunter2")))
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("status", [503, None])
def test_no_failure_says_the_address(
    webhook: Webhook,
    status: int | None,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    webhook.status = status or 200
    url = webhook.url if status else URL
    (address,) = addresses(AlertSettings(urls=SecretStr(url)))
    root = logging.getLogger()
    with pytest.raises(NotDeliveredError) as failed:
        address.send("title", "body", Severity.WARNING)
    said = str(failed.value)
    assert said == ("HTTP status 503" if status else "no connection, or no answer in time")
    printed = capsys.readouterr()
    assert not printed.out + printed.err
    assert root.level is not None
    assert not [record for record in caplog.records if record.name == "root"]


def test_an_address_is_known_again_and_cannot_be_told_from_that() -> None:
    (address,) = addresses(AlertSettings(urls=SecretStr(URL)))
    (same,) = addresses(AlertSettings(urls=SecretStr(URL)))
    assert address.identity(b"salt") == same.identity(b"salt") != same.identity(b"pepper")
