"""A data directory holds the evidence of one database."""

from dataclasses import replace
from pathlib import Path

import pytest

from ingest.belonging import claim
from ingest.errors import StoreError
from tests.ingest.fix_ingest import shop


def test_a_renamed_database_goes_on_when_its_new_name_is_written_down(tmp_path: Path) -> None:
    claim(tmp_path, shop())
    renamed = replace(shop(), database="bücher")
    with pytest.raises(StoreError, match="of database shop, and this one is bücher") as told:
        claim(tmp_path, renamed)
    (file,) = tmp_path.iterdir()
    assert str(file) in (told.value.todo or "")
    # As `echo` and editors write it.
    file.write_text("bücher\n", encoding="utf-8")
    claim(tmp_path, renamed)
    claim(tmp_path, renamed)
    with pytest.raises(StoreError):
        claim(tmp_path, shop())


def test_names_alone_belong_to_any_database(tmp_path: Path) -> None:
    claim(tmp_path, shop())
    claim(tmp_path, replace(shop(), database=""))


def test_the_name_that_entries_of_the_attic_know_is_a_former_one(tmp_path: Path) -> None:
    """Since the plan was made the database got another name."""
    claim(tmp_path, shop())
    attic = tuple(replace(entry, database="shop") for entry in shop().attic)
    renamed = replace(shop(), database="books", attic=attic)
    claim(tmp_path, renamed)
    claim(tmp_path, renamed)
