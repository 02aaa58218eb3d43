"""Reports: complete, self-contained, and no markup from names."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from analytics.errors import ReportError
from analytics.readiness import assess
from analytics.reports import Judged, Report, write_report
from analytics.usage import UseGroup
from catalog.elements import Element, Kind
from tests.analytics.evidence import NOW
from tests.analytics.test_verdict import POLICY, entry, facts

EVIL = Element(Kind.TABLE, "public", '<script>alert("x")</script>|`*')


def report(*elements: Element) -> Report:
    judged = []
    for element in elements:
        use = UseGroup(
            element, "read", "error", "error", "view:v", False, True, "42P01", "<b>role</b>", "shop", "app",
            "127.0.0.1", "s1", "SELECT a\nFROM <x> WHERE b = $1", 3, NOW, NOW,
        )  # fmt: skip
        found = assess(
            replace(entry(), element=element), facts(uses=3, last_use_at=NOW, used_by=("app",)), POLICY, NOW
        )
        judged.append(Judged(found, (use,)))
    return Report("shop & co", 180006, NOW, (("quiet_days", "30"),), tuple(judged))


class Outline(HTMLParser):
    """Collects the tags and the text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not {name for name, _ in attrs} & {"src", "onclick"}
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.mark.parametrize("elements", [(), (EVIL,), (EVIL, Element.parse("table:public.users_old"))])
def test_html_is_well_formed_and_escapes_what_it_shows(tmp_path: Path, elements: tuple[Element, ...]) -> None:
    path = tmp_path / "report.html"
    write_report(path, report(*elements))
    text = path.read_text(encoding="utf-8")
    page = Outline()
    page.feed(text)
    assert page.open == []
    assert not {"script", "b>role", "link", "img"} & set(page.tags)
    assert "http" not in text
    for element in elements:
        assert str(element) in page.words
        assert "not ready" in page.words
        assert "SELECT a\nFROM <x> WHERE b = $1" in page.words
        assert "3 uses seen since the rename by app" in page.words
    if not elements:
        assert "Nothing is in the attic." in page.words


def test_markdown_has_the_same_and_keeps_its_tables_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    write_report(path, report(EVIL))
    lines = path.read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if re.search(r"(?<!\\)<", line)]
    (use,) = [line for line in lines if "42P01" in line]
    assert len(re.findall(r"(?<!\\)\|", use)) == 7
    assert "## What is never seen" in lines


@pytest.mark.parametrize("name", ["report", "report.pdf"])
def test_an_unknown_form_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ReportError, match=r"\.html or"):
        write_report(tmp_path / name, report())
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match="cannot be written"):
        write_report(tmp_path / "file" / "report.html", report())
