"""The section `alerts`: what it takes, and that what is wrong is told by its key."""

from datetime import timedelta
from pathlib import Path

import pytest

from catalog.alert_settings import DEFAULT_RULES, BurstRule, Severity
from catalog.errors import SettingsError
from catalog.settings import load_settings
from catalog.span import span

RULE = '[[alerts.rules]]\nname = "a"\nwhen = "burst"\nuses = 3\nwithin = "10s"\n'


def load(tmp_path: Path, text: str) -> object:
    path = tmp_path / "pgattic.toml"
    path.write_text(text)
    return load_settings(path).alerts


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("30s", 30), ("1.5m", 90), ("2h", 7200), (" 7d ", 604_800)]
)
def test_lengths_of_time_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert span(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["10", "10 minutes", "-1s", "", 10, None])
def test_what_is_no_length_of_time_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="length of time"):
        span(text)


def test_rules_of_ones_own_take_the_place_of_the_defaults(tmp_path: Path) -> None:
    assert load_settings().alerts.rules == DEFAULT_RULES
    (rule,) = load(tmp_path, RULE + 'severity = "info"\nelements = ["table:public.*"]\n').rules  # type: ignore[attr-defined]
    assert isinstance(rule, BurstRule)
    assert (rule.uses, rule.within, rule.severity) == (3, timedelta(seconds=10), Severity.INFO)
    assert load(tmp_path, "[alerts]\nrules = []\n").rules == ()  # type: ignore[attr-defined]


def test_relative_paths_are_meant_from_the_file(tmp_path: Path) -> None:
    found = load(tmp_path, '[alerts]\nurls_file = "urls"\njson_file = "out/alerts.jsonl"\n')
    assert found.urls_file == tmp_path / "urls"  # type: ignore[attr-defined]
    assert found.json_file == tmp_path / "out/alerts.jsonl"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (RULE.replace('"10s"', '"10q"'), r"alerts\.rules\.0\.within.*length of time.*'10q'"),
        (RULE.replace("uses = 3\n", ""), r"alerts\.rules\.0\.uses.*required"),
        (RULE.replace("uses = 3", "uses = 0"), r"alerts\.rules\.0\.uses.*greater than 0"),
        (RULE + "users = 3\n", r"unknown key 'alerts\.rules\.0\.users'"),
        (RULE.replace('"burst"', '"bust"'), r"alerts\.rules\.0.*'new_source'"),
        (RULE + 'severity = "bad"\n', r"alerts\.rules\.0\.severity"),
        (RULE + 'kinds = ["tables"]\n', r"alerts\.rules\.0\.kinds\.0.*'tables'"),
        (RULE + RULE, "two have the name 'a'"),
        (RULE + "[[alerts.windows]]\nstart = 02:00:00\n", r"alerts\.windows\.0.*start and end"),
        (
            "[[alerts.windows]]\nstart = 02:00:00\nend = 03:00:00\nsince = 2026-01-01T00:00:00Z\n",
            r"alerts\.windows\.0.*or since and until",
        ),
        (
            "[[alerts.windows]]\nsince = 2026-01-01T00:00:00\nuntil = 2026-01-02T00:00:00\n",
            r"alerts\.windows\.0\.since.*timezone",
        ),
        ('[alerts]\ntimezone = "Atlantis"\n', r"alerts\.timezone.*Europe/Berlin"),
        ("[alerts]\ndigest = 30\n", r"alerts\.digest.*'30s'"),
    ],
)
def test_what_is_wrong_is_told_by_its_key(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        load(tmp_path, text)
