"""The search_path: how it is written, and what sessions begin with."""

from collections.abc import Iterator

import pytest

from catalog.database import Database, identifier
from catalog.objects import SearchPath
from catalog.reading import read_snapshot
from ingest.grammar.paths import as_path, default_path
from tests.fix_server import FreshDatabase
from tests.ingest.fix_ingest import shop

ROLE = "paths_test_role"


@pytest.mark.parametrize(
    ("setting", "path"),
    [
        ('"$user", public', ("ann", "public")),
        ("Public,  \"A\"\"b\" ,c", ("public", 'A"b', "c")),
        ("", ()),
        ('""', ()),
        (("$user", "Odd, name"), ("ann", "Odd, name")),
    ],
)  # fmt: skip
def test_a_path_is_the_schemas_in_their_order(setting: str | tuple[str, ...], path: tuple[str, ...]) -> None:
    assert as_path(setting, "ann") == path


def test_without_settings_nobody_knows_the_path() -> None:
    assert default_path(shop(), "ann") is None


def test_the_most_special_setting_wins() -> None:
    every = (
        SearchPath(None, False, "server"),
        SearchPath(None, True, "here"),
        SearchPath("ann", False, "ann"),
        SearchPath("ann", True, "ann_here"),
    )
    snapshot = shop()
    for count, expected in ((4, "ann_here"), (3, "ann"), (2, "here"), (1, "server")):
        known = type(snapshot)(**{**vars(snapshot), "search_paths": every[:count]})
        assert default_path(known, "ann") == (expected,)
        assert default_path(known, "bob") == (("here",) if count > 1 else ("server",))


@pytest.fixture
def role(database: FreshDatabase) -> Iterator[str]:
    database.db.execute(f"CREATE ROLE {ROLE}")
    yield ROLE
    database.db.execute(f"DROP ROLE {ROLE}")


def test_the_snapshot_knows_what_sessions_begin_with(database: FreshDatabase, role: str) -> None:
    db = database.db
    assert default_path(read_snapshot(db), role) == (role, "public")
    db.execute(f"ALTER ROLE {role} SET search_path = of_role")
    here = identifier(database.name)
    db.execute(f'ALTER DATABASE {here} SET search_path = here, "Odd, name"')
    snapshot = read_snapshot(db)
    assert default_path(snapshot, role) == ("of_role",)
    assert default_path(snapshot, "somebody") == ("here", "Odd, name")
    db.execute(f"ALTER ROLE {role} IN DATABASE {here} SET search_path = of_role_here")
    assert default_path(read_snapshot(db), role) == ("of_role_here",)
    # A session that begins with another path cannot see the server's; the database's is what counts anyway.
    with Database.connect(database.dsn()) as other:
        assert default_path(read_snapshot(other), "somebody") == ("here", "Odd, name")
    assert snapshot.encoding == "UTF8"
