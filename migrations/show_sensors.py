"""How sensors look on a terminal: what each element has, why others have none, and what they cost."""

from collections import Counter
from collections.abc import Iterable, Sequence

from rich.markup import escape

from analytics.sentences import listed
from catalog.elements import Element
from catalog.terminal import console, many, print_hanging
from migrations.sensors import Armed, Disarmed, SensorKind
from migrations.sensors.costs import TYPICAL_US, Cost
from migrations.sensors.targets import WITHOUT_SENSORS

_ELEMENTS_IN_FULL = 20
_NAMED = 3


def print_armed(done: Iterable[Armed]) -> None:
    """Print what each element has now, of many only how many have what; then why there is no more."""
    every = list(done)
    armed = [one for one in every if one.element.kind not in WITHOUT_SENSORS]
    if len(armed) > _ELEMENTS_IN_FULL:
        counts = Counter(kind for one in armed for kind in (*one.made, *one.had))
        found = ", ".join(many(counts[kind], kind.value) for kind in SensorKind if counts[kind])
        console.print(f"  [green]✓[/] sensors on {many(len(armed), 'element')}: {found or 'none'}")
    else:
        for one in armed:
            has = _has(one)
            mark = "[green]✓[/]" if has else "[dim]-[/]"
            print_hanging(f"  {mark}", f"{escape(str(one.element))}: {has or 'no sensor'}")
    _print_refusals(armed)
    print_without_sensors(one.element for one in every)


def print_disarmed(done: Iterable[Disarmed]) -> None:
    """Print what was taken from each element, of many only how many of what; notes are all told."""
    every = list(done)
    found = [one for one in every if one.removed or one.notes or one.element.kind not in WITHOUT_SENSORS]
    if len(found) > _ELEMENTS_IN_FULL:
        counts = Counter(kind for one in found for kind in one.removed)
        taken = ", ".join(many(counts[kind], kind.value) for kind in SensorKind if counts[kind])
        console.print(
            f"  [green]✓[/] taken off {many(len(found), 'element')}: {taken or 'no sensor was there'}"
        )
    for one in found:
        taken = ", ".join(kind.value for kind in one.removed)
        mark = "[green]✓[/]" if taken else "[dim]-[/]"
        if len(found) <= _ELEMENTS_IN_FULL or one.notes:
            print_hanging(f"  {mark}", f"{escape(str(one.element))}: {taken or 'had no sensor'}")
        for note in one.notes:
            print_hanging("     [yellow]note[/]", escape(note))
    print_without_sensors(one.element for one in every)


def print_without_sensors(elements: Iterable[Element]) -> None:
    """Print in one line which elements can have no sensor."""
    without = [str(element) for element in elements if element.kind in WITHOUT_SENSORS]
    if without:
        what = f"no sensor can be on {many(len(without), 'element')}; counters, errors and plans speak for"
        named = f"{what} {'it' if len(without) == 1 else 'them'}: {listed(without, _ELEMENTS_IN_FULL)}"
        print_hanging("  [dim]-[/]", f"[dim]{escape(named)}[/]")


def print_costs(done: Iterable[Armed], measured: Sequence[Cost] = ()) -> None:
    """Print what a statement pays that uses the elements: as measured here, or else by the maintainers."""
    if measured:
        times = [
            f"{cost.kind} [bold]+{cost.added_us:,.0f} µs[/] ({cost.without_us:,.0f} → {cost.with_us:,.0f})"
            for cost in measured
        ]
        others = ""
        source = "server time, measured here on temporary tables; the lines of that are in the server's log"
    else:
        kinds = {kind for one in done for kind in (*one.made, *one.had)}
        if not kinds:
            return
        times = [f"{kind} +{TYPICAL_US[kind]} µs" for kind in SensorKind if kind in kinds]
        others = "; others: nothing measurable"
        source = "benchmarks/sensors.py on the maintainers' machine; `pgattic arm --measure` measures it here"
    print_hanging("  cost:", f"a statement that uses them: {', '.join(times)}{others}")
    print_hanging("       ", f"[dim]({source})[/]")


def _has(one: Armed) -> str:
    if not one.made:
        had = ", ".join(kind.value for kind in one.had)
        return f"{had} [dim](already there)[/]" if had else ""
    return ", ".join(
        kind.value if kind in one.made else f"{kind} [dim](already there)[/]"
        for kind in SensorKind
        if kind in (*one.made, *one.had)
    )


def _print_refusals(armed: Sequence[Armed]) -> None:
    """Print each reason once, with the elements that it holds for."""
    elements: dict[tuple[SensorKind, str], list[str]] = {}
    for one in armed:
        for kind, why in one.refused.items():
            elements.setdefault((kind, why), []).append(str(one.element))
    for (kind, why), found in sorted(elements.items()):
        whose = "all of them" if 1 < len(found) == len(armed) else listed(found, _NAMED)
        print_hanging(f"  [dim]no {kind}:[/]", f"[dim]{escape(f'{why} ({whose})')}[/]")
