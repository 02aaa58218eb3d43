"""What is printed: in a terminal nothing is wider than it, and nothing is ever cut off."""

import pytest

from catalog.terminal import console, print_hanging, print_table

_PATH = "/opt/postgresql/" + "releases/" * 20 + "bin"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "_force_terminal", True)
    monkeypatch.setattr(console, "_width", 80)


@pytest.mark.usefixtures("terminal")
def test_word_that_is_longer_than_the_terminal_goes_on_in_the_next_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_hanging("✓", f"client tools: {_PATH}")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("✓ client tools: ")
    assert all(line.startswith("  ") for line in lines[1:])
    assert all(len(line) <= 80 for line in lines)
    assert _PATH in "".join("".join(lines).split())


@pytest.mark.usefixtures("terminal")
def test_table_that_is_too_wide_shows_all_of_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("Found", ("name", "path"), [("psql", _PATH)])
    output = capsys.readouterr().out
    assert all(len(line) <= 80 for line in output.splitlines())
    assert _PATH in "".join(output.split())


@pytest.mark.usefixtures("terminal")
def test_row_of_a_table_that_is_too_wide_takes_few_lines(capsys: pytest.CaptureFixture[str]) -> None:
    columns = ("element", "uses", "errors", "note", "first_at", "last_at")
    rows = [(f"table:public.{'x' * 55}", 5, 0, None, "2026-11-23 12:48:24", "2026-11-23 12:48:25")] * 2
    print_table("Found", columns, rows)
    record = [
        f"element table:public.{'x' * 55}",
        "  uses 5  errors 0  first_at 2026-11-23 12:48:24  last_at 2026-11-23 12:48:25",
    ]
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert printed == ["Found", *record, "", *record]


def test_where_no_terminal_is_a_text_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_hanging("✓", f"client tools: {_PATH}")
    assert capsys.readouterr().out == f"✓ client tools: {_PATH}\n"
