"""The command `rollback`."""

from typing import Annotated

import typer

from catalog.database import Database
from catalog.elements import Element
from catalog.terminal import JsonOption, console, invocation, many, print_json
from migrations import audit, checkpoints, registry
from migrations import rollback as back
from migrations.commands import telling
from migrations.commands.asking import YesOption, ask
from migrations.errors import PlanError
from migrations.restoring import Restoration, as_script, statements_of
from migrations.rollback import Scope
from migrations.row_proof import prove_rows
from migrations.show_rollback import print_intended, print_restored


def rollback(
    ctx: typer.Context,
    migration_id: Annotated[
        str | None, typer.Argument(metavar="MIGRATION", help="As `status` shows it.")
    ] = None,
    element: Annotated[
        str | None, typer.Option(help="Bring back only this element (its former name).")
    ] = None,
    to: Annotated[
        str | None, typer.Option(metavar="CHECKPOINT", help="Bring back whatever was renamed after it.")
    ] = None,
    to_time: Annotated[
        str | None,
        typer.Option(help="The same for a time: 2026-11-23T14:30+01:00, or how long ago, as 2h or 1d12h."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the exact SQL; change nothing and lock nothing.")
    ] = False,
    fingerprint: Annotated[
        bool, typer.Option("--fingerprint", help="Read the tables afterwards and compare their content too.")
    ] = False,
    despite_breaker: Annotated[
        bool, typer.Option("--despite-breaker", help="Also while the circuit breaker is open.")
    ] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Give elements back their former names: a migration, an element, or all since a checkpoint or time.

    Example: pgattic rollback --element table:public.users_old
    """
    chosen = [migration_id or element, to, to_time]
    if sum(choice is not None for choice in chosen) != 1:
        raise PlanError(
            "name either a migration or --element (or --to, or --to-time)",
            where="rollback",
            todo="`pgattic status` lists migrations, elements and checkpoints",
        )
    invoked = invocation(ctx)
    with invoked.connect() as db:
        scope = _scope(db, migration_id, element, to, to_time)
        if dry_run:
            _show_preview(back.preview(db, scope), scope, as_json=as_json)
            return
        if not yes:
            _ask(back.preview(db, scope))
        registry.require(db)
        with audit.sealing(db, invoked.settings):
            done = back.rollback(
                db,
                scope,
                despite_breaker=despite_breaker,
                policy=invoked.settings.policy,
                on_retry=telling.retries(as_json=as_json),
            )
        proofs = prove_rows(
            db,
            done.restored,
            count_up_to_bytes=invoked.settings.policy.count_rows_up_to_bytes,
            with_checksum=fingerprint,
        )
    if as_json:
        print_json(
            {
                "restored": [one.item.element for one in done.restored],
                "notes": _notes(done.restored),
                "seconds": done.locked_seconds,
                "rows": proofs,
            }
        )
        return
    print_restored(done.restored, proofs)
    console.print(
        f"{many(len(done.restored), 'element')} restored;"
        f" locks were held for {done.locked_seconds * 1000:,.0f} ms"
    )


def _scope(
    db: Database, migration_id: str | None, element: str | None, to: str | None, to_time: str | None
) -> Scope:
    wanted = Element.parse(element) if element else None
    if to_time is None:
        return Scope(migration_id, wanted, to)
    # The registry's times are those of the server's clock.
    now = db.fetch_value("SELECT clock_timestamp()")
    return Scope(since=checkpoints.parse_time(to_time, now))


def _ask(intended: list[Restoration]) -> None:
    print_intended(intended)
    ask(f"Bring back {many(len(intended), 'element')}?")


def _show_preview(intended: list[Restoration], scope: Scope, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "would_restore": [one.item.element for one in intended],
                "notes": _notes(intended),
                "sql": statements_of(intended),
            }
        )
        return
    typer.echo(as_script(intended, str(scope)))


def _notes(restorations: list[Restoration] | tuple[Restoration, ...]) -> dict[str, list[str]]:
    return {str(one.item.element): list(one.notes) for one in restorations if one.notes}
