"""From the names in a statement to all that it uses: what it names, and what follows from that."""

from ingest.grammar.paths import Path
from ingest.grammar.references import Effect, References
from ingest.meaning.derived import Closure
from ingest.meaning.direct import DirectWalk, Use, meant, tables_named
from ingest.meaning.names_alone import uses_of_names
from ingest.meaning.world import World

__all__ = ["Use", "meant", "path_effects", "resolve", "tables_named"]


def resolve(found: References, world: World, path: Path | None = None) -> tuple[Use, ...]:
    """The elements that a statement uses, each once per way of use.

    `path` are the schemas of the session's search_path in their order; None where it is not known.
    """
    if world.is_alone:
        return _simplest(uses_of_names(found, world, path))
    walk = DirectWalk(world, path)
    walk.take(found)
    closure = Closure(world, path)
    closure.follow(walk.found)
    return _simplest(walk.found.uses | closure.uses)


def path_effects(found: References, world: World, path: Path | None = None) -> tuple[Effect, ...]:
    """What functions that a statement may call do to the session's search_path.

    What they set it to depends on their arguments, and so is not known: the path of these effects is empty.
    """
    if not found.functions:
        return ()
    walk = DirectWalk(world, path)
    walk.take(found)
    closure = Closure(world, path)
    closure.follow(walk.found)
    return tuple(dict.fromkeys(closure.effects))


def _simplest(uses: dict[Use, None]) -> tuple[Use, ...]:
    """Leave out what is implicit where the element is named as well, and what is unsure where it is sure."""
    named = {(use.element, use.operation) for use in uses if not use.implicit}
    sure = {(use.element, use.operation, use.implicit, use.via) for use in uses if not use.ambiguous}
    return tuple(
        use
        for use in uses
        if not (use.implicit and (use.element, use.operation) in named)
        and not (use.ambiguous and (use.element, use.operation, use.implicit, use.via) in sure)
    )
