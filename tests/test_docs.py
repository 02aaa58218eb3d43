"""The documentation keeps up with the code: a page for each command, a line for each key."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from typer.main import get_command

import pgattic
from catalog.elements import Kind
from catalog.settings import Settings

DOCS = Path(__file__).parent.parent / "docs"
COMMANDS = sorted(get_command(pgattic.application()).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_page_that_is_listed(name: str) -> None:
    page = DOCS / "commands" / f"{name}.md"
    assert f"pgattic {name}" in page.read_text()
    assert f"commands/{name}.md" in (DOCS / "README.md").read_text()


def test_every_page_is_of_a_command() -> None:
    assert sorted(page.stem for page in (DOCS / "commands").glob("*.md")) == COMMANDS


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_a_page_that_is_listed(kind: Kind) -> None:
    page = (DOCS / "operations" / f"{kind}.md").read_text()
    assert f"`{kind}:{kind.form}`" in page
    assert "**Lock.**" in page
    assert "> **Warning" in page
    assert f"operations/{kind}.md" in (DOCS / "README.md").read_text()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str) -> None:
    command = get_command(pgattic.application()).commands[name]  # type: ignore[attr-defined]
    assert f"Example: pgattic {name}" in (command.help or "")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_stands_on_the_page_of_its_command(name: str) -> None:
    page = (DOCS / "commands" / f"{name}.md").read_text()
    # Those of every command are in the index.
    common = {"--help", "--json", "--config"}
    wanted = set(_options(get_command(pgattic.application()).commands[name])) - common  # type: ignore[attr-defined]
    assert sorted(option for option in wanted if not re.search(rf"{option}\b", page)) == []


def test_every_page_can_be_reached() -> None:
    pages = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")} - {"README.md"}
    index = (DOCS / "README.md").read_text()
    assert sorted(page for page in pages if f"]({page})" not in index) == []


def _options(command: Any) -> Iterator[str]:
    for parameter in command.params:
        yield from (option for option in getattr(parameter, "opts", ()) if option.startswith("--"))
    for part in getattr(command, "commands", {}).values():
        yield from _options(part)


def test_every_key_of_the_configuration_is_described() -> None:
    page = (DOCS / "configuration.md").read_text()
    for section, field in Settings.model_fields.items():
        # A section is a table, or a list of tables.
        (kind,) = [
            kind
            for kind in (field.annotation, *get_args(field.annotation))
            if isinstance(kind, type) and issubclass(kind, BaseModel)
        ]
        for key in kind.model_fields:
            assert f"`{section}.{key}`" in page


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: str(page.relative_to(DOCS)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in page.read_text().split("](")[1:]:
        link = target.partition(")")[0]
        if not link.startswith("http"):
            assert (page.parent / link.partition("#")[0]).exists(), link


def test_every_command_is_found_in_the_folder_that_owns_it() -> None:
    for folder, commands in pgattic.COMMANDS.items():
        assert sorted(get_command(pgattic.application([folder])).commands) == sorted(commands)  # type: ignore[attr-defined]
