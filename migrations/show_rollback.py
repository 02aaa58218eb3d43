"""How a rollback looks on a terminal: of many elements how many of each kind, and every note on them."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import groupby

from rich.markup import escape

from analytics.sentences import listed
from catalog.terminal import console, many, print_hanging
from migrations.restoring import Restoration
from migrations.row_proof import RowProof

# More than a screen holds is summed up.
_IN_FULL = 20
_FIRST = 10
_NAMED = 3


def print_intended(intended: Sequence[Restoration]) -> None:
    """Print which names would be given back."""
    _print_each(intended, lambda one: ("  -", f"{one.item.deprecated_name} → {one.item.element}"))
    if len(intended) > _IN_FULL:
        console.print("  [dim]`--dry-run` prints the SQL of all of them[/]")


def print_restored(done: Sequence[Restoration], proofs: Sequence[RowProof]) -> None:
    """Print what has its name back, and how its tables' rows compare with those before the rename."""
    _print_each(done, lambda one: ("  [green]✓[/]", f"{one.item.element} has its name back"))
    same = [proof for proof in proofs if proof.is_same] if len(proofs) > _IN_FULL else []
    told = [proof for proof in proofs if proof not in same]
    for proof in told[:_IN_FULL]:
        print_hanging(" ", f"[dim]{escape(str(proof))}[/]")
    if len(told) > _IN_FULL:
        print_hanging(" ", f"[dim]… and {many(len(told) - _IN_FULL, 'table')} more that differ[/]")
    if same:
        rows = many(sum(proof.rows_then for proof in same), "row")
        print_hanging(" ", f"[dim]{many(len(same), 'table')} with as many rows as before: {rows}[/]")


def _print_each(restorations: Sequence[Restoration], line: Callable[[Restoration], tuple[str, str]]) -> None:
    if len(restorations) <= _IN_FULL:
        for one in restorations:
            label, text = line(one)
            print_hanging(label, escape(text))
            for note in one.notes:
                print_hanging("     [yellow]note[/]", escape(note))
        return
    kinds = Counter(one.item.element.kind.value for one in restorations)
    counted = [f"{kind}: {number:,}" for kind, number in sorted(kinds.items())]
    print_hanging(" ", f"{many(len(restorations), 'element')} ({', '.join(counted)}), the first {_FIRST}:")
    for one in restorations[:_FIRST]:
        label, text = line(one)
        print_hanging(label, escape(text))
    print_hanging(" ", f"… and {len(restorations) - _FIRST:,} more")
    _print_notes(restorations)


def _print_notes(restorations: Sequence[Restoration]) -> None:
    """Print each note once, with the elements that it is about."""
    about = sorted((note, str(one.item.element)) for one in restorations for note in one.notes)
    notes = [(note, [element for _, element in group]) for note, group in groupby(about, lambda one: one[0])]
    for note, elements in notes[:_IN_FULL]:
        print_hanging("  [yellow]note[/]", escape(f"{note} ({listed(elements, _NAMED)})"))
    if len(notes) > _IN_FULL:
        left = many(len(notes) - _IN_FULL, "note")
        print_hanging("  [yellow]note[/]", f"… and {left} more; `--json` has them all")
