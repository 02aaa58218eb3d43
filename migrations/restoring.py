"""Restoring, decided: the statements that give elements their former names back, or why there are none."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from analytics.sentences import count
from catalog.elements import Kind, quote_identifier
from migrations import integrity
from migrations.errors import RollbackError
from migrations.operations import operation_for
from migrations.present import Present
from migrations.registry import DeprecatedElement
from migrations.sensors.present import SensorNow, removals

_RELATIONS = frozenset({Kind.TABLE, Kind.INDEX, Kind.VIEW, Kind.MATVIEW, Kind.SEQUENCE})
# A name as PostgreSQL keeps them apart: the namespace's kind, schema, table or type, name.
_Name = tuple[str, str, str, str]


@dataclass(frozen=True)
class Restoration:
    """One element brought back: the statements that do it, and what is worth knowing about it.

    `sensors` are those that are armed on it; they go before anything is renamed.
    """

    item: DeprecatedElement
    statements: tuple[str, ...]
    notes: tuple[str, ...] = ()
    sensors: tuple[SensorNow, ...] = ()


@dataclass
class _World:
    """Names as they will be after the statements so far.

    `renamed` maps names as they were read, `given` are former names given back, `removed` are shims taken
    away; `staying` are the elements that share a shim with one of this rollback and stay in the attic.
    """

    renamed: dict[_Name, str] = field(default_factory=dict)
    given: dict[_Name, DeprecatedElement] = field(default_factory=dict)
    removed: set[int] = field(default_factory=set)
    staying: dict[int, list[DeprecatedElement]] = field(default_factory=dict)

    def now(self, name: _Name) -> str:
        return self.renamed.get(name, name[-1])


def restorations(
    items: Sequence[DeprecatedElement],
    present: Sequence[Present],
    staying: Sequence[DeprecatedElement] = (),
) -> list[Restoration]:
    """The statements that bring elements back, in the order given (last renamed first).

    `staying` are elements that stay in the attic, and may share a shim with one that comes back.
    Raises one RollbackError that names everything in the way, and what to do about it.
    """
    world = _World()
    for other in staying:
        if other.shim_oid:
            world.staying.setdefault(other.shim_oid, []).append(other)
    done = []
    obstacles: list[RollbackError] = []
    for item, now in zip(items, present, strict=True):
        found = tuple(_obstacles(item, now, world))
        obstacles.extend(found)
        if not found:
            done.append(_restored(item, now, world))
    if obstacles:
        raise _all_in_one(obstacles)
    return done


def statements_of(done: Sequence[Restoration]) -> list[str]:
    """Every statement, in the order in which they must run."""
    return [
        *removals(sensor for one in done for sensor in one.sensors),
        *(statement for one in done for statement in one.statements),
    ]


def as_script(done: Sequence[Restoration], what: str) -> str:
    """The statements as plain SQL in one transaction, with what they bring back."""
    lines = [
        f"-- pgattic rollback of {_one_line(what)}: {count(len(done), 'element')}",
        "-- pgattic also updates its registry",
        "BEGIN;",
        "SET LOCAL lock_timeout = '1s';",
    ]
    lines.extend(f"{statement};" for statement in removals(s for one in done for s in one.sensors))
    for one in done:
        lines.append(f"-- {_one_line(one.item.deprecated_name)} → {_one_line(str(one.item.element))}")
        lines.extend(f"--   note: {_one_line(note)}" for note in one.notes)
        lines.extend(f"{statement};" for statement in one.statements)
    return "\n".join([*lines, "COMMIT;"])


def _one_line(text: str) -> str:
    # A name may hold a line break, which would end the comment.
    return " ".join(text.splitlines())


def _obstacles(item: DeprecatedElement, now: Present, world: _World) -> Iterator[RollbackError]:
    where = str(item.element)
    if now.place is None or now.name is None:
        yield RollbackError(
            f"no longer exists: what was {item.deprecated_name} was removed, or made anew under another OID",
            where=where,
            todo="Only a backup brings it back: `pgattic status` lists them",
        )
        return
    called = world.now(_own_name(item, now))
    former = item.element.name
    if called not in (item.deprecated_name, former):
        yield RollbackError(
            f"is called {called} now, not {item.deprecated_name}: somebody renamed it",
            where=where,
            todo=f"Rename it to {item.deprecated_name} (or back to {former}) and try again; where another"
            " migration renamed it, bring that back first",
        )
        return
    yield from _shim_obstacles(item, now, world)
    for holder in (*now.holders, *now.table_holders):
        is_shim = holder.space == "relation" and holder.oid in {item.shim_oid} | world.removed
        if not is_shim:
            yield RollbackError(
                f"its former name is taken again, by a {holder.kind}",
                where=where,
                todo="Find out who made the new one (a migration tool?), move it aside and try again",
            )
            return
    for name in _names_given(item, now, world):
        other = world.given.get(name)
        if other:
            yield RollbackError(
                f"its former name is also that of {other.deprecated_name}, which comes back in this rollback",
                where=where,
                todo=f"Bring back one of migrations {other.migration_id} and {item.migration_id}",
            )
            return


def _shim_obstacles(item: DeprecatedElement, now: Present, world: _World) -> Iterator[RollbackError]:
    shim = item.shim
    if shim is None or _keeps_shim(item, world):
        return
    if now.shim and now.shim.name == shim.name and now.shim.users and now.shim.oid not in world.removed:
        yield RollbackError(
            f"its compatibility view {now.shim.name} is in use by {', '.join(now.shim.users[:3])}",
            where=str(item.element),
            todo=f"Let them use {shim.relation} instead, or remove them, and try again",
        )
    staying = _staying_behind(item, world)
    if staying:
        one = shlex.quote(staying[0])
        yield RollbackError(
            f"its former name is that of the compatibility view {shim.name}, which also keeps"
            f" {', '.join(staying[:3])} working",
            where=str(item.element),
            todo=f"Bring all of them back with `pgattic rollback {item.migration_id}`, or those first, one by"
            f" one: `pgattic rollback --element {one}`",
        )
    table = _table_now(item, now, world)
    if shim.is_hidden and table not in (shim.relation, shim.name):
        yield RollbackError(
            f"its table is called {table} now, not {shim.relation}: somebody renamed it",
            where=str(item.element),
            todo=f"Rename it to {shim.relation} and try again; where another migration renamed it, bring that"
            " back first",
        )


def _keeps_shim(item: DeprecatedElement, world: _World) -> bool:
    """Whether its shim stays, as others need it: the view finds a column by its number, not by its name."""
    return item.element.kind is Kind.COLUMN and bool(_staying_behind(item, world))


def _staying_behind(item: DeprecatedElement, world: _World) -> list[str]:
    """The elements that share its shim and stay in the attic."""
    return sorted(str(other.element) for other in world.staying.get(item.shim_oid or 0, ()))


def _without_shim(item: DeprecatedElement, now: Present, world: _World) -> tuple[list[str], list[str]]:
    """The statements that remove the shim and give the table behind it its name back, and notes on that."""
    shim = item.shim
    if shim is None or item.shim_oid in world.removed:
        return [], []
    if _keeps_shim(item, world):
        staying = ", ".join(_staying_behind(item, world)[:3])
        return [], [f"its table stays behind the compatibility view {shim.name}, which {staying} needs"]
    assert now.place is not None
    statements: list[str] = []
    notes: list[str] = []
    if now.shim is None:
        notes.append(f"its compatibility view {shim.name} is gone already")
    elif now.shim.name != shim.name:
        notes.append(f"its compatibility view was renamed by somebody to {now.shim.name}, and stays")
    else:
        view = replace(shim, schema=now.shim.schema, is_hidden=False)
        statements.extend(view.removal())
        world.removed.add(now.shim.oid)
        if now.shim.grants:
            notes.append(f"grants on its compatibility view end with it: {', '.join(now.shim.grants)}")
    table = _table_now(item, now, world)
    if shim.is_hidden and table != shim.name:
        statements.extend(replace(shim, schema=now.place.schema).uncover(table))
        world.renamed["relation", now.place.schema, "", now.place.table or ""] = shim.name
    return statements, notes


def _table_now(item: DeprecatedElement, now: Present, world: _World) -> str | None:
    """The table (or type) that the element is named within, as it is called after the statements so far."""
    assert now.place is not None
    if now.place.table is None:
        return None
    space = "type" if item.element.kind is Kind.ENUM_VALUE else "relation"
    return world.now((space, now.place.schema, "", now.place.table))


def _restored(item: DeprecatedElement, now: Present, world: _World) -> Restoration:
    assert now.place is not None
    assert now.name is not None
    former = item.element.name
    called = world.now(_own_name(item, now))
    statements, notes = _without_shim(item, now, world)
    place = now.place.in_table(_table_now(item, now, world))
    if place.index:
        place = replace(place, index=called)
    operation = operation_for(item.element.kind)
    notes += [*_moved(item, now), *_changed(item, now), *_about_sensors(now)]
    if called == former:
        notes.append("had its former name already: somebody renamed it back")
    else:
        statements.append(operation.rename(place, called, former))
    keep, comment_note = _comment(item, now)
    if comment_note:
        notes.append(comment_note)
    # An enum value has no comment.
    comment = None if keep else operation.comment(place, former, item.former_comment)
    if comment:
        statements.append(comment)
    for name in _names_given(item, now, world):
        world.given[name] = item
    world.renamed[_own_name(item, now)] = former
    return Restoration(item, tuple(statements), tuple(notes), now.sensors)


def _own_name(item: DeprecatedElement, now: Present) -> _Name:
    """The name that was read, in the namespace that it is unique in."""
    assert now.place is not None
    assert now.name is not None
    kind, place = item.element.kind, now.place
    if kind in _RELATIONS:
        return ("relation", place.schema, "", now.name)
    if kind is Kind.CONSTRAINT and place.index:
        # It is renamed through its index, and so is called whatever that is called.
        return ("relation", place.schema, "", place.index)
    if kind is Kind.ENUM:
        return ("type", place.schema, "", now.name)
    return (kind.value, place.schema, place.table or "", now.name)


def _names_given(item: DeprecatedElement, now: Present, world: _World) -> tuple[_Name, ...]:
    space, schema, parent, _ = _own_name(item, now)
    names = [(space, schema, parent, item.element.name)]
    if item.element.kind in (Kind.TABLE, Kind.VIEW, Kind.MATVIEW):
        names.append(("type", schema, "", item.element.name))
    return tuple(name for name in names if world.given.get(name) is not item)


def _comment(item: DeprecatedElement, now: Present) -> tuple[bool, str | None]:
    """Whether the comment stays as it is, and why that has to be told."""
    found, former = now.observation.comment, item.former_comment
    if found == former:
        return True, None
    if found is None or _is_ours(found, item):
        return False, None
    was = f"the former one was {former!r}" if former else "it had none before"
    return True, f"keeps the comment that somebody wrote since the rename ({was})"


def _is_ours(comment: str, item: DeprecatedElement) -> bool:
    then = integrity.read(item.integrity)
    if then is not None:
        return comment == then.note
    # Renamed before the registry kept the note.
    return comment.startswith("Deprecated ") and comment.endswith(f"pgattic migration {item.migration_id}")


def _moved(item: DeprecatedElement, now: Present) -> Iterator[str]:
    assert now.place is not None
    if now.place.schema != item.element.schema:
        yield f"is in schema {quote_identifier(now.place.schema)} now"


def _changed(item: DeprecatedElement, now: Present) -> Iterator[str]:
    then = integrity.read(item.integrity)
    if then is not None:
        yield from integrity.changes(item.element, then, now.observation)


def _about_sensors(now: Present) -> Iterator[str]:
    yield from dict.fromkeys(note for sensor in now.sensors if (note := sensor.note))


def _all_in_one(obstacles: Sequence[RollbackError]) -> RollbackError:
    first = obstacles[0]
    if len(obstacles) == 1:
        return RollbackError(f"{first.what}; nothing was changed", where=first.where, todo=first.todo)
    error = RollbackError(
        f"{len(obstacles):,} of its elements cannot go back; nothing was changed",
        where=f"{first.where} and {len(obstacles) - 1:,} more",
    )
    error.details = tuple(str(obstacle) for obstacle in obstacles)
    return error
