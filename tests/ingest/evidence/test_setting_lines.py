"""Lines by which the server tells what became of its settings."""

import tomllib
from datetime import timedelta
from pathlib import Path

import pytest

import ingest.evidence.languages
from ingest.evidence.setting_lines import SettingLines, setting_lines
from ingest.logs.csvlog import read_records
from ingest.schemas import Source
from ingest.upkeep import tidy
from tests.ingest.fix_ingest import NOON, Workplace, record

CATALOGS = tomllib.loads(
    Path(ingest.evidence.languages.__file__).with_name("languages.toml").read_text(encoding="utf-8")
)
RELOADS = [catalog["reload"] for catalog in CATALOGS.values() if "reload" in catalog]
RELOAD = RELOADS[0]
HIDDEN = 'parameter "log_min_error_statement" changed to "panic"'


def told(*messages: str, database: str = "") -> SettingLines:
    lines = (record(message, database=database) for message in messages)
    return setting_lines(read_records(b"".join(lines)).records)


@pytest.mark.parametrize("text", RELOADS)
def test_a_reload_is_told_in_every_language(text: str) -> None:
    assert told(text) == SettingLines(reloads=(NOON,))


@pytest.mark.parametrize(
    "text",
    [
        HIDDEN,
        'parameter "log_min_messages" removed from configuration file, reset to default',
        'parameter "Log_Min_Messages" changed to "fatal"',
        "Parameter »log_destination« auf »stderr« gesetzt",
        'параметр "log_directory" принял значение "/log"',
    ],
)
def test_a_change_is_told_by_the_name_of_the_setting(text: str) -> None:
    assert told(text) == SettingLines(changes=(NOON,))


@pytest.mark.parametrize(
    "text",
    [
        "checkpoint starting: time",
        'parameter "work_mem" changed to "5MB"',
        'parameter "my.log_destination_of_mine" changed to "a"',
        "worker received SIGHUP, reloading configuration files",
        "SIGHUP",
    ],
)
def test_other_lines_tell_nothing(text: str) -> None:
    assert told(text) == SettingLines()


def test_what_sessions_write_is_not_the_server_s_word() -> None:
    assert told(RELOAD, HIDDEN, database="shop") == SettingLines()


def test_times_of_such_lines_are_kept_with_what_was_read(workplace: Workplace) -> None:
    workplace.vouched = (Source.ERROR,)
    moments = [NOON + timedelta(minutes=minute) for minute in range(3)]
    for number, (at, text) in enumerate(zip(moments, (RELOAD, HIDDEN, RELOAD), strict=True), 1):
        workplace.write("a.csv", record(text, at=at, database="", session="6b035698.1", line=number))
        list(workplace.pipeline().run())
    for _ in range(2):
        rows = workplace.rows("coverage", "reloads", "setting_changes")
        assert {each for row in rows for each in row["reloads"]} == {moments[0], moments[2]}
        assert {each for row in rows for each in row["setting_changes"]} == {moments[1]}
        # They outlive it that rows are made one.
        pipeline = workplace.pipeline()
        tidy(pipeline.store, None, workplace.now)
    assert len(rows) < 3
