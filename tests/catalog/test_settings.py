"""The configuration: what is read, from where, and what a wrong one says."""

from pathlib import Path

import pytest

from catalog.elements import Kind
from catalog.errors import SettingsError
from catalog.settings import PolicySettings, load_settings


def config(folder: Path, text: str) -> Path:
    path = folder / "pgattic.toml"
    path.write_text(text)
    return path


def test_relative_paths_are_meant_from_the_file(tmp_path: Path) -> None:
    settings = load_settings(
        config(tmp_path, '[data]\ndirectory = "evidence"\n[logs]\ndirectory = "/var/log"')
    )
    assert settings.data.directory == tmp_path / "evidence"
    assert settings.logs.directory == Path("/var/log")


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGATTIC_POLICY__QUIET_DAYS", "7")
    settings = load_settings(config(tmp_path, "[policy]\nquiet_days = 60\ncooling_off_days = 61"))
    assert (settings.policy.quiet_days, settings.policy.cooling_off_days) == (7, 61)


def test_without_a_file_the_defaults_are_cautious(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    assert settings.database.environment == "production"
    assert settings.policy.quiet_days == 30


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[policy]\nquiet_dayz = 3", "unknown key 'policy.quiet_dayz'"),
        ("[polizei]\nx = 3", "unknown key 'polizei'"),
        ('[policy]\nquiet_days = "soon"', "key 'policy.quiet_days': .*valid number.*found 'soon'"),
        ("[policy]\nquiet_days = -1", "key 'policy.quiet_days': .*greater than or equal to 0, found -1"),
        ("[policy]\ncoverage_wanted = 2", "less than or equal to 1, found 2"),
        ('[database]\nenvironment = "prod"', "key 'database.environment': .*'production', found 'prod'"),
        ('[database]\ndsn = "host"', "not a libpq connection string"),
        ("[database\n", "not TOML"),
        ('[policy.table]\nsources = ["counters"]', "'counters' is no source; write one of error, log"),
        ("[policy.column]\nsources = []", "at least 1 item"),
        ("[policy.tabel]\nquiet_days = 1", "unknown key 'policy.tabel'"),
        ('[[nodes]]\nname = "r"\ndsn = "password=x"', "key 'nodes.0.dsn': holds a password"),
        (2 * '[[nodes]]\nname = "r"\ndsn = "host=r"\n', "key 'nodes': two servers are called 'r'"),
        ('[[nodes]]\nname = "primary"\ndsn = "host=r"', "two servers are called 'primary'"),
    ],
)
def test_a_wrong_configuration_says_key_found_and_expected(tmp_path: Path, text: str, said: str) -> None:
    path = config(tmp_path, text)
    with pytest.raises(SettingsError, match=said) as caught:
        load_settings(path)
    assert caught.value.where == str(path)
    assert caught.value.exit_code == 2


def test_a_kind_can_have_a_policy_of_its_own(tmp_path: Path) -> None:
    text = '[policy]\nquiet_days = 60\n[policy.index]\nquiet_days = 7\nsources = ["error", "counter | audit"]'
    policy = load_settings(config(tmp_path, text)).policy
    assert (policy.of(Kind.TABLE).quiet_days, policy.of(Kind.INDEX).quiet_days) == (60, 7)
    assert policy.of(Kind.INDEX).sources == ("error", "counter|audit")
    assert {"error"} <= set(policy.of(Kind.COLUMN).sources)
    assert ("index.quiet_days", "7") in policy.said()


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_wants_to_be_watched(kind: Kind) -> None:
    assert "error" in PolicySettings().of(kind).sources


def test_servers_have_names(tmp_path: Path) -> None:
    text = '[logs]\nnode = "main"\n[[nodes]]\nname = "r1"\ndsn = "host=r1"'
    assert load_settings(config(tmp_path, text)).node_names == ("main", "r1")


def test_logs_of_a_replica_are_meant_from_the_file(tmp_path: Path) -> None:
    text = '[[nodes]]\nname = "r1"\ndsn = "host=r1"\nlogs = "r1/log"\n[[nodes]]\nname = "r2"\ndsn = "host=r2"'
    assert [node.logs for node in load_settings(config(tmp_path, text)).nodes] == [tmp_path / "r1/log", None]


@pytest.mark.parametrize("dsn", ["postgresql://me:hunter2@db/shop", "dbname=shop password=hunter2"])
def test_a_password_in_the_file_is_refused_without_repeating_it(tmp_path: Path, dsn: str) -> None:
    with pytest.raises(SettingsError, match="holds a password") as caught:
        load_settings(config(tmp_path, f'[database]\ndsn = "{dsn}"'))
    assert "hunter2" not in str(caught.value)


def test_a_wrong_environment_variable_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGATTIC_POLICY__QUIET_DAYS", "many")
    with pytest.raises(SettingsError, match="environment variable PGATTIC_POLICY__QUIET_DAYS"):
        load_settings(config(tmp_path, ""))


def test_a_missing_file_that_was_asked_for_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such configuration file"):
        load_settings(tmp_path / "nope.toml")
