"""`--csv` and `--parquet` of readiness, coverage and scan, read by another program."""

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.analytics.test_cli import Command, attic, command, data, used

__all__ = ["attic", "command", "data", "used"]

USERS = "table:public.users_old"


def files(folder: Path) -> tuple[Path, Path]:
    return folder / "rows.csv", folder / "rows.parquet"


def written(command: Command, folder: Path, *arguments: str) -> tuple[list[dict[str, Any]], Any]:
    """The rows of both files, which DuckDB reads as the same, and what `--json` said of them."""
    csv, parquet = files(folder)
    result = command(*arguments, "--csv", str(csv), "--parquet", str(parquet), "--json")
    assert result.exit_code == 0, result
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        found = db.sql(f"FROM read_parquet('{parquet}')")
        types = dict(zip(found.columns, map(str, found.types), strict=True))
        same = db.sql(f"FROM read_csv('{csv}', header = true, types = {types}, nullstr = '')")
        rows: list[dict[str, Any]] = found.to_arrow_table().to_pylist()
        # An empty text is none in a CSV file.
        assert [_without_empty(row) for row in same.to_arrow_table().to_pylist()] == [
            *map(_without_empty, rows)
        ]
    return rows, json.loads(result.output)


def _without_empty(row: dict[str, Any]) -> dict[str, Any]:
    return {name: None if value == "" else value for name, value in row.items()}


@pytest.mark.usefixtures("used")
def test_verdicts_are_a_row_an_element(command: Command, tmp_path: Path) -> None:
    found, verdicts = written(command, tmp_path, "readiness")
    rows = {row["element"]: row for row in found}
    told = {one["element"]: one for one in verdicts}
    assert list(rows) == list(told)
    for element, row in rows.items():
        one = told[element]
        assert row["kind"] == element.split(":")[0]
        for name in ("deprecated_name", "migration_id", "verdict", "undated"):
            assert row[name] == one[name]
        assert row["deprecated_at"].isoformat() == one["deprecated_at"]
        assert row["reasons"] == " | ".join(one["reasons"])
        met = [rule["met"] for rule in one["rules"]]
        assert (row["rules_met"], row["rules_not_met"], row["rules_unknown"]) == (
            met.count(True),
            met.count(False),
            met.count(None),
        )
    assert rows[USERS]["verdict"] == "not ready"
    (one_row,), _ = written(command, tmp_path, "readiness", USERS)
    assert one_row["element"] == USERS


@pytest.mark.usefixtures("used")
def test_a_file_changes_no_exit_code(command: Command, tmp_path: Path) -> None:
    csv, _ = files(tmp_path)
    result = command("readiness", "--require-ready", "--csv", str(csv))
    assert (result.exit_code, result.output) == (1, "")
    assert csv.exists()
    assert command("readiness", "--since-last", "--csv", str(csv)).exit_code == 2


@pytest.mark.parametrize("name", ["readiness", "coverage", "scan"])
@pytest.mark.usefixtures("used")
def test_who_wants_a_file_is_told_nothing_else(command: Command, tmp_path: Path, name: str) -> None:
    _, parquet = files(tmp_path)
    result = command(name, "--parquet", str(parquet))
    assert (result.exit_code, result.output, parquet.exists()) == (0, "", True)


@pytest.mark.usefixtures("attic")
def test_an_empty_attic_gives_the_columns(command: Command, tmp_path: Path) -> None:
    assert written(command, tmp_path, "readiness") == ([], [])
    csv, _ = files(tmp_path)
    assert csv.read_text().startswith('"element","kind","deprecated_name"')


@pytest.mark.parametrize("arguments", [("coverage", USERS), ("coverage", "--days", "3")])
@pytest.mark.usefixtures("used")
def test_stretches_and_gaps_follow_on_each_other(
    command: Command, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    rows, timeline = written(command, tmp_path, *arguments)
    lines: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        lines.setdefault((row["source"], row["node"]), []).append(row)
        assert row["element"] == (USERS if USERS in arguments else None)
        assert row["seconds"] == (row["ends_at"] - row["begins_at"]).total_seconds()
    told = {(one["source"], one["node"]): one for one in timeline["lines"]}
    assert lines.keys() == told.keys()
    for line, stretches in lines.items():
        ends = [row["ends_at"] for row in stretches[:-1]]
        assert ends == [row["begins_at"] for row in stretches[1:]]
        assert sum(row["is_watched"] for row in stretches) == len(told[line]["stretches"])
    assert any(row["is_watched"] for row in lines["error", "primary"])


@pytest.mark.usefixtures("attic")
def test_candidates_are_rows_in_their_order(command: Command, tmp_path: Path) -> None:
    rows, survey = written(command, tmp_path, "scan")
    told = survey["candidates"]
    assert [row["element"] for row in rows] == [one["element"] for one in told]
    assert rows
    for row, one in zip(rows, told, strict=True):
        assert (row["reason"], row["bytes"]) == (one["reason"], one["bytes"])
        assert row["evidence"] == " | ".join(one["evidence"])
        assert row["confidence"] == one["confidence"]
