"""The configuration: `pgattic.toml`, overridden by environment variables `PGATTIC_<SECTION>__<KEY>`.

No secret belongs in the file: a password comes from `PGPASSWORD`, `~/.pgpass` or a service file, as with
every program that uses libpq. Relative paths are meant from the folder of the configuration file.
"""

import os
import tomllib
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from catalog.alert_settings import AlertSettings
from catalog.database import has_password, is_conninfo
from catalog.errors import SettingsError
from catalog.policy import PolicySettings
from catalog.section import Positive, Section
from catalog.span import Span, span

__all__ = ["PolicySettings", "Settings", "load_settings"]

CONFIG_NAME = "pgattic.toml"
_ENV_PREFIX = "PGATTIC_"
# Each has a sister key `…_file` that names a file with it.
_SECRETS = (("audit", "key"), ("alerts", "urls"))

Environment = Literal["development", "staging", "production"]


def _without_password(dsn: str) -> str:
    if not is_conninfo(dsn):
        raise ValueError("not a libpq connection string (key=value … or postgresql://…)")
    if has_password(dsn):
        raise ValueError("holds a password; put it into ~/.pgpass, a service file or PGPASSWORD")
    return dsn


Dsn = Annotated[str, AfterValidator(_without_password)]


class DatabaseSettings(Section):
    """The server and database to watch."""

    dsn: Dsn = Field(default="", description="libpq connection string, without a password")
    environment: Environment = "production"
    lock_timeout_ms: Positive = 1000
    statement_timeout_ms: Positive = 60_000


class NodeSettings(Section):
    """A replica, whose reads are counted there and nowhere else, and logged in a log of its own."""

    name: Annotated[str, Field(min_length=1)]
    dsn: Dsn
    logs: Path | None = Field(default=None, description="its log files: a folder, a pattern, or one file")


class LogsSettings(Section):
    """The server's log files, and what is known of them where no database tells."""

    directory: Path | None = Field(default=None, description="a folder, a pattern of paths, or one file")
    pattern: str | None = Field(default=None, description="which files in the folder; default: all logs")
    node: Annotated[str, Field(min_length=1)] = Field(
        default="primary",
        description="name of the server that writes these logs; changing it reads them anew",
    )
    poll_seconds: Annotated[float, Field(gt=0, le=60)] = 0.5
    timezone: str | None = Field(default=None, description="log_timezone of a server that cannot be asked")
    line_prefix: str | None = Field(
        default=None, description="log_line_prefix of a server that cannot be asked, for stderr logs"
    )
    shows: tuple[Literal["error", "log", "sensor", "audit"], ...] = Field(
        default=(), description="what the logs of a server that cannot be asked are known to show"
    )


class DataSettings(Section):
    """Where the evidence tables are written."""

    directory: Path = Path("pgattic-data")
    keep_days: Positive | None = Field(default=None, description="evidence older than this is removed")


class BackupSettings(Section):
    """Where backups go and how they are proved."""

    dsn: Dsn = Field(default="", description="for pg_dump, where database.dsn leads to a pooler")
    directory: Path = Path("pgattic-data/backups")
    bin_directory: Path | None = Field(
        default=None, description="folder of pg_dump and pg_restore; default: found"
    )


class AuditSettings(Section):
    """How the audit trail is sealed; without a key it is not."""

    seal_file: Path | None = Field(default=None, description="default: audit.seals in data.directory")
    key: Annotated[SecretStr, Field(min_length=16)] | None = Field(
        default=None, description="only as the environment variable PGATTIC_AUDIT__KEY"
    )
    key_file: Path | None = None


class CollectSettings(Section):
    """How often `ingest --follow` samples the counters of every server."""

    every: Span = span("10m")


class SensorsSettings(Section):
    """What pgattic puts on elements in the attic, so that the server logs their uses."""

    level: Literal["minimal", "sensors"] = Field(
        default="sensors", description="minimal: none; sensors: triggers, canaries, grants to pgaudit's role"
    )

    @property
    def are_wanted(self) -> bool:
        """Whether `apply` arms what it renames."""
        return self.level != "minimal"


class GuardSettings(Section):
    """What happens when a statement fails on a former name while the guard watches."""

    action: Literal["off", "alert", "rollback-element", "rollback-migration"] = "rollback-element"


class Settings(BaseSettings):
    """Everything that can be configured."""

    model_config = SettingsConfigDict(
        env_prefix=_ENV_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )
    toml_file: ClassVar[Path | None] = None

    database: DatabaseSettings = DatabaseSettings()
    logs: LogsSettings = LogsSettings()
    data: DataSettings = DataSettings()
    backup: BackupSettings = BackupSettings()
    audit: AuditSettings = AuditSettings()
    policy: PolicySettings = PolicySettings()
    collect: CollectSettings = CollectSettings()
    sensors: SensorsSettings = SensorsSettings()
    guard: GuardSettings = GuardSettings()
    alerts: AlertSettings = AlertSettings()
    nodes: tuple[NodeSettings, ...] = ()

    @field_validator("nodes")
    @classmethod
    def _differ(cls, nodes: tuple[NodeSettings, ...], info: ValidationInfo) -> tuple[NodeSettings, ...]:
        logs = info.data.get("logs", LogsSettings())
        names = [logs.node, *(node.name for node in nodes)]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(
                f"two servers are called {min(twice)!r}: logs.node is the primary's name;"
                " where the logs of a replica are, its nodes.logs says"
            )
        return nodes

    @property
    def node_names(self) -> tuple[str, ...]:
        """The servers to watch: the primary, called `logs.node`, and the replicas."""
        return (self.logs.node, *(node.name for node in self.nodes))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (pydantic names the arguments)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment first, then the file."""
        toml = TomlConfigSettingsSource(settings_cls, toml_file=cls.toml_file) if cls.toml_file else None
        return tuple(source for source in (init_settings, env_settings, toml) if source)


def load_settings(config: Path | None = None) -> Settings:
    """Read the configuration; `config` None means ./pgattic.toml if it is there, else the defaults.

    Raises SettingsError that names the key, what was found and what is expected.
    """
    path = config or Path(CONFIG_NAME)
    if config is not None and not config.is_file():
        raise SettingsError(
            "no such configuration file", where=str(config), todo="Make one with `pgattic init`"
        )
    found = path if path.is_file() else None
    if found:
        _check_toml(found)
    reader = type("FileSettings", (Settings,), {"toml_file": found})
    try:
        settings: Settings = reader()
    except ValidationError as error:
        raise _settings_error(error, found) from None
    return _anchored(settings, (found.parent if found else Path()).resolve())


def _check_toml(path: Path) -> None:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"not TOML: {error}", where=str(path), todo="Correct the file") from error
    except OSError as error:
        raise SettingsError(f"cannot be read: {error.strerror}", where=str(path)) from error
    for section, key in _SECRETS:
        if isinstance(found := content.get(section), dict) and key in found:
            raise SettingsError(
                f"key '{section}.{key}': a secret does not belong into the file",
                where=str(path),
                todo=f"Set the environment variable {_ENV_PREFIX}{section.upper()}__{key.upper()},"
                f" or {section}.{key}_file",
            )


def _settings_error(error: ValidationError, path: Path | None) -> SettingsError:
    first = error.errors(include_url=False)[0]
    location = first["loc"]
    if location[:2] == ("alerts", "rules"):
        # The fourth part is what `when` says, which is no key.
        location = location[:3] + location[4:]
    key = ".".join(str(part) for part in location)
    if first["type"] == "extra_forbidden":
        return SettingsError(
            f"unknown key {key!r}",
            where=_source_of(first["loc"], path),
            todo="See docs/configuration.md for the keys",
        )
    message = first["msg"].removeprefix("Value error, ")
    # A dsn may hold the password that it is refused for.
    is_secret = key.endswith("dsn") or any(key == f"{section}.{name}" for section, name in _SECRETS)
    found = "" if is_secret or isinstance(first["input"], dict) else f", found {first['input']!r}"
    return SettingsError(
        f"key {key!r}: {message[:1].lower()}{message[1:]}{found}", where=_source_of(first["loc"], path)
    )


def _source_of(location: tuple[int | str, ...], path: Path | None) -> str:
    variable = _ENV_PREFIX + "__".join(str(part).upper() for part in location)
    if variable in os.environ:
        return f"environment variable {variable}"
    return str(path) if path else "the configuration"


def _anchored(settings: Settings, folder: Path) -> Settings:
    """Give the same settings with relative paths made absolute from `folder`."""
    logs, data, backup = settings.logs, settings.data, settings.backup
    if logs.directory is not None:
        logs = logs.model_copy(update={"directory": folder / logs.directory})
    data = data.model_copy(update={"directory": folder / data.directory})
    backup = backup.model_copy(update={"directory": folder / backup.directory})
    audit = settings.audit
    paths = {"seal_file": audit.seal_file, "key_file": audit.key_file}
    audit = audit.model_copy(update={key: folder / path for key, path in paths.items() if path})
    alerts = settings.alerts
    paths = {"urls_file": alerts.urls_file, "json_file": alerts.json_file}
    alerts = alerts.model_copy(update={key: folder / path for key, path in paths.items() if path})
    nodes = tuple(
        node.model_copy(update={"logs": folder / node.logs}) if node.logs else node for node in settings.nodes
    )
    changed = {"nodes": nodes, "logs": logs, "data": data, "backup": backup, "audit": audit, "alerts": alerts}
    return settings.model_copy(update=changed)
