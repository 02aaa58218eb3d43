"""What is kept of texts from one process to the next saves work, and never decides anything."""

from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from catalog.elements import Element
from ingest.evidence.meanings import Meaning, Meanings

USERS = Element.parse("table:public.users")
HIDES, NOTHING = Meaning(may=frozenset({USERS})), Meaning()
TEXTS = {"SELECT 1": NOTHING, "SELECT x.id FROM orders x": HIDES, "no sql": Meaning(may_be_anything=True)}
PATH = ("app", "public")


def opened(path: Path, circumstances: object = 1) -> Meanings:
    found = Meanings(path)
    found.begin(circumstances)
    return found


def kept(path: Path, texts: dict[str, Meaning] = TEXTS) -> Path:
    """A file that a process has left."""
    meanings = opened(path)
    for text, meaning in texts.items():
        meanings.keep(text, PATH, meaning)
    meanings.save()
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return kept(tmp_path / "data" / "known")


def test_the_next_process_knows_them(file: Path) -> None:
    meanings = opened(file)
    assert {text: meanings.get(text, PATH) for text in TEXTS} == TEXTS
    assert meanings.get("SELECT 2", PATH) is None


def test_another_path_or_catalog_gives_another_meaning(file: Path) -> None:
    assert opened(file).get("SELECT 1", ("public",)) is None
    assert opened(file).get("SELECT 1", None) is None
    assert opened(file, 2).get("SELECT 1", PATH) is None
    meanings = opened(file)
    meanings.begin(2)
    assert meanings.get("SELECT 1", PATH) is None


def test_another_pgattic_looks_into_all_texts_anew(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.evidence.meanings._code", lambda: b"another")
    assert opened(file).get("SELECT 1", PATH) is None


@pytest.mark.parametrize(
    "harm",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content.replace(b"table:public.users", b"table:public.other"),
        lambda content: content.replace(b'"texts"', b'"tests"'),
        lambda content: b"\x00" * len(content),
        lambda content: b"\n".join([content.partition(b"\n")[0], b"[]"]),
    ],
)
def test_a_harmed_file_is_as_good_as_none(file: Path, harm: Callable[[bytes], bytes]) -> None:
    file.write_bytes(harm(file.read_bytes()))
    assert opened(file).get("SELECT 1", PATH) is None
    assert opened(kept(file)).get("SELECT 1", PATH) == NOTHING


def test_a_use_is_never_kept(tmp_path: Path) -> None:
    use: Any = object()
    file = kept(tmp_path / "known", {"SELECT 1": Meaning(uses=(use,)), "SELECT 2": NOTHING})
    assert opened(file).get("SELECT 1", PATH) is None
    assert opened(file).get("SELECT 2", PATH) == NOTHING


def test_no_text_is_in_the_file(file: Path) -> None:
    assert b"SELECT" not in file.read_bytes()
    assert b"no sql" not in file.read_bytes()


def test_what_is_not_asked_for_any_more_goes_with_the_next_new_text(file: Path) -> None:
    meanings = opened(file)
    meanings.get("SELECT 1", PATH)
    before = file.read_bytes()
    meanings.save()
    assert file.read_bytes() == before, "nothing was new"
    meanings.get("SELECT 1", PATH)
    meanings.keep("SELECT 2", PATH, NOTHING)
    meanings.save()
    assert opened(file).get("no sql", PATH) is None
    assert {text: opened(file).get(text, PATH) for text in ("SELECT 1", "SELECT 2")} == dict.fromkeys(
        ("SELECT 1", "SELECT 2"), NOTHING
    )


def test_it_does_not_grow_without_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.evidence.meanings._MOST", 10)
    texts = dict.fromkeys((f"SELECT {number}" for number in range(20)), NOTHING)
    meanings = opened(kept(tmp_path / "known", texts))
    assert sum(meanings.get(text, PATH) is not None for text in texts) == 10


def test_who_may_not_write_goes_without(tmp_path: Path) -> None:
    # A file where a folder is to be: refused to root as well.
    (tmp_path / "data").write_text("")
    assert opened(kept(tmp_path / "data" / "known")).get("SELECT 1", PATH) is None


def test_of_two_processes_one_leaves_its_file(tmp_path: Path) -> None:
    file = tmp_path / "known"
    texts = [dict.fromkeys((f"SELECT {number}" for number in range(n, n + 500)), NOTHING) for n in (0, 500)]

    def write(some: dict[str, Meaning]) -> None:
        for _ in range(5):
            kept(file, some)

    threads = [Thread(target=write, args=[some]) for some in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [sum(opened(file).get(text, PATH) is not None for text in some) for some in texts]
    assert sorted(found) == [0, 500]
    assert [each.name for each in tmp_path.iterdir()] == ["known"]
