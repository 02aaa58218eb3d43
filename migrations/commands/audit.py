"""The commands `audit list`, `verify`, `export` and `reseal`."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from catalog.errors import os_error_as
from catalog.files import write_atomically
from catalog.terminal import JsonOption, console, invocation, many, print_hanging, print_json, print_table
from migrations import registry
from migrations.audit import Event, newest, read, record, seal_now
from migrations.audit.chain import AuditRow
from migrations.audit.sealing import seal_file, seals_of
from migrations.audit.verify import Verdict, verify
from migrations.errors import RefusedError, SealError

app = typer.Typer(no_args_is_help=True)


@app.callback()
def audit() -> None:
    """Read the audit trail, and prove that nobody changed it afterwards.

    Example: pgattic audit verify
    """


@app.command(name="list")
def list_rows(
    ctx: typer.Context,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="UTC.")
    ] = None,
    event: Annotated[Event | None, typer.Option(help="Only this kind of event.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List what was decided and done, newest first.

    Example: pgattic audit list --event apply_outcome --limit 10
    """
    with invocation(ctx).connect() as db:
        registry.require(db)
        rows = list(islice(_selected(newest(db), since, event), limit))
    if as_json:
        print_json([row.content or {"sequence": row.sequence, "entry": row.entry} for row in rows])
        return
    print_table(
        "Audit trail", ("row", "at (UTC)", "event", "subject", "by", "what"), [_cells(row) for row in rows]
    )


@app.command(name="verify")
def verify_chain(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Check every row's hash and the chain, and hold both against the seals. Exit code 1: something is wrong.

    Example: pgattic audit verify
    """
    invoked = invocation(ctx)
    with invoked.connect() as db:
        registry.require(db)
        seals = seals_of(db, invoked.settings)
        verdict = verify(read(db), seals or ())
    unproved = bool(seals is not None and not seals and verdict.rows)
    if as_json:
        print_json({**asdict(verdict), "is_sealed": bool(seals)})
    else:
        _print_verdict(verdict)
        _print_seals(seal_file(invoked.settings), seals is not None, verdict, unproved)
    if verdict.problems or unproved:
        raise typer.Exit(1)


@app.command()
def export(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option(help="The file to write, one JSON object a line.")],
    as_json: JsonOption = False,
) -> None:
    """Write every row as it is stored, with its hashes, to be kept or checked elsewhere.

    Example: pgattic audit export --out audit.jsonl
    """
    with invocation(ctx).connect() as db:
        registry.require(db)
        lines = [json.dumps(asdict(row), ensure_ascii=False) for row in read(db)]
    with os_error_as(SealError, "cannot be written", where=out):
        write_atomically(out, "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass"))
    if as_json:
        print_json({"out": out, "rows": len(lines)})
        return
    console.print(f"{many(len(lines), 'row')} written to {escape(str(out))}")


@app.command()
def reseal(
    ctx: typer.Context,
    because: Annotated[str, typer.Option(help="Why the chain is to be trusted as it is now.")],
    as_json: JsonOption = False,
) -> None:
    """Accept the chain as it is: after a restore to an earlier time, or when a key is first set up.

    Earlier seals stay in the file, but verify no longer counts them. It is itself recorded, with what verify
    had to say before.

    Example: pgattic audit reseal --because "restored to 2026-11-20 after the disk failed"
    """
    invoked = invocation(ctx)
    if not because.strip():
        raise RefusedError("a reason is wanted; nothing was sealed", where="--because")
    with invoked.connect() as db:
        registry.require(db)
        seals = seals_of(db, invoked.settings)
        if seals is None:
            raise RefusedError("no key is configured; nothing was sealed", todo=_KEY_TODO)
        said = [problem.message for problem in verify(read(db), seals).problems]
        record(db, Event.RESEALED, db.name, {"because": because, "problems": said})
        made = seal_now(db, invoked.settings, because=because)
    assert made is not None
    if as_json:
        print_json({"rows": made.count, "head": made.head, "problems": said})
        return
    console.print(f"Sealed {many(made.count, 'row')}, head {made.head[:16]}…")


# A summary longer than this ends with the last fact that is whole.
_SUMMARY = 160
_ONE_OF = {"sql": "statement"}
_KEY_TODO = (
    "Set PGATTIC_AUDIT__KEY, or audit.key_file to a file that only pgattic can read (`openssl rand -hex 32`)"
)


def _selected(rows: Iterator[AuditRow], since: datetime | None, event: Event | None) -> Iterator[AuditRow]:
    # The stored text is ordered as the times are.
    earliest = f"{since.replace(tzinfo=UTC):%Y-%m-%dT%H:%M:%S}" if since else ""
    for row in rows:
        content = row.content
        if since and str(content.get("at", "")) < earliest:
            return
        if event is None or content.get("event") == event.value:
            yield row


def _cells(row: AuditRow) -> tuple[object, ...]:
    content = row.content
    if not content:
        return (row.sequence, "", "", "", "", "[red]no JSON: the row was changed[/]")
    at = str(content.get("at", ""))[:19].replace("T", " ")
    texts = (str(content.get(key, "")) for key in ("event", "subject", "role"))
    return (row.sequence, at, *(escape(text) for text in texts), escape(_summary(content.get("detail"))))


def _summary(detail: object) -> str:
    if not isinstance(detail, dict):
        return ""
    facts = [
        _fact(key, value)
        for key, value in detail.items()
        if value is not None and not isinstance(value, dict)
    ]
    text = ", ".join(facts)
    return text if len(text) <= _SUMMARY else f"{text[:_SUMMARY].rpartition(', ')[0] or text[:_SUMMARY]}, …"


def _fact(key: str, value: object) -> str:
    """One key of a detail: of a list only how many, of a hash its beginning."""
    match value:
        case list():
            return many(len(value), _ONE_OF.get(key, key.removesuffix("s")))
        case str() if key.endswith("_hash"):
            return f"{key.replace('_', ' ')} {value[:8]}"
        case _:
            return f"{key.replace('_', ' ')} {value}"


def _print_verdict(verdict: Verdict) -> None:
    if verdict.is_whole:
        console.print(f"[green]✓[/] {many(verdict.rows, 'row')}, none changed, head {verdict.head[:16]}…")
    else:
        found = many(len(verdict.problems), "problem")
        console.print(f"[bold red]{found}[/] in {many(verdict.rows, 'row')}")
        for problem in verdict.problems:
            console.print(f"  [bold red]{problem.kind.value}[/] {escape(problem.message)}")
    for row, subject in verdict.unfinished:
        console.print(
            f"  [yellow]unfinished[/] row {row}: {escape(subject)} was begun and has no outcome;"
            " `pgattic status` says what is done"
        )


def _print_seals(path: Path, has_key: bool, verdict: Verdict, unproved: bool) -> None:
    if not has_key:
        print_hanging(
            "[yellow]not sealed[/]:", "a tail that was cut off, or a chain written anew, could not be seen"
        )
        print_hanging("  →", _KEY_TODO)
    elif unproved:
        console.print(f"[bold red]no seal[/] in {escape(str(path))} speaks of this database")
        print_hanging(
            "  →",
            "Find the file of seals (audit.seal_file); where the key is new, accept the chain as it is with"
            " `pgattic audit reseal --because …`",
        )
    else:
        after = verdict.rows - verdict.sealed
        more = f"; {many(after, 'row')} after the last seal" if after > 0 else ""
        console.print(f"[green]✓[/] sealed up to row {verdict.sealed} in {escape(str(path))}{more}")
