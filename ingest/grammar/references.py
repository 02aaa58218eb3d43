"""What a statement refers to: names as written, before any catalog is asked."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from ingest.schemas import Operation

# A name as written: schema or None, and name.
Name = tuple[str | None, str]


# What happens to the rows of a relation: `default` is SET column = DEFAULT, `cascade` TRUNCATE … CASCADE, and
# `refresh` that of a materialized view.
Event = Literal["insert", "update", "default", "delete", "truncate", "cascade", "refresh"]


@dataclass(frozen=True, slots=True)
class RelationUse:
    """A relation named in a statement; `is_whole` where all its columns are meant without being named."""

    relation: Name
    operation: Operation
    is_whole: bool = False
    event: Event | None = None


@dataclass(frozen=True, slots=True)
class ColumnUse:
    """A column named in a statement; `levels` are the relations it may belong to, innermost query first."""

    name: str
    levels: tuple[tuple[Name, ...], ...]
    operation: Operation


@dataclass(frozen=True, slots=True)
class ConstraintUse:
    """A constraint named in a statement, with its table where the statement says it."""

    name: str
    relation: Name | None
    operation: Operation


@dataclass(frozen=True, slots=True)
class KeyUse:
    """ON CONFLICT without a constraint's name: it needs one on these columns, or any where none are told."""

    relation: Name
    columns: frozenset[str]


@dataclass(frozen=True, slots=True)
class NamedUse:
    """A type or an index named in a statement."""

    name: Name
    operation: Operation


@dataclass(frozen=True, slots=True)
class LabelUse:
    """A constant that is cast to a type, which makes it a label where the type is an enum."""

    type: Name
    label: str
    operation: Operation


@dataclass(frozen=True, slots=True)
class SetPath:
    """The session's search_path becomes `schemas`, or its default again (None).

    "$user" stands in it as written, and the empty path says that it is not known. `is_local` where that holds
    until the end of the transaction.
    """

    schemas: tuple[str, ...] | None
    is_local: bool = False


@dataclass(frozen=True, slots=True)
class SetRole:
    """Another role acts from now on: what "$user" in a search_path means is not known any more."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction begins, is committed, or is rolled back: whole, or to a savepoint."""

    step: Literal["begin", "commit", "rollback", "rollback to"]


@dataclass(frozen=True, slots=True)
class Keep:
    """The session keeps this statement under a name: PREPARE, or DECLARE of a cursor."""

    what: Literal["prepared", "cursor"]
    name: str


@dataclass(frozen=True, slots=True)
class RunKept:
    """A kept statement runs: EXECUTE, FETCH, MOVE, or UPDATE and DELETE WHERE CURRENT OF."""

    what: Literal["prepared", "cursor"]
    name: str


@dataclass(frozen=True, slots=True)
class Forget:
    """Kept statements go: DEALLOCATE and CLOSE, of all where `name` is None."""

    what: Literal["prepared", "cursor"]
    name: str | None = None


# What a statement does to its session, in the order of the string; DISCARD ALL is several of these.
Effect = SetPath | SetRole | Transaction | Keep | RunKept | Forget


@dataclass(frozen=True, slots=True)
class References:
    """Everything that a statement (or several in one string) names.

    `natural` are the two sides of each NATURAL JOIN. `possible` is what constants may be run as, as arguments
    of a function that may EXECUTE them. `words` are identifiers that may name something: all of a text that
    could not be parsed, and those of constants that are no SQL. `is_literal_sensitive` where a constant may
    name something (`nextval('s')`, `'t'::regclass`, a DO body, `SET search_path`), so that texts which differ
    in constants alone must be read each on their own. `is_definition` where event triggers may fire.
    """

    is_parsed: bool
    relations: tuple[RelationUse, ...] = ()
    columns: tuple[ColumnUse, ...] = ()
    types: tuple[NamedUse, ...] = ()
    labels: tuple[LabelUse, ...] = ()
    indexes: tuple[NamedUse, ...] = ()
    constraints: tuple[ConstraintUse, ...] = ()
    keys: tuple[KeyUse, ...] = ()
    natural: tuple[tuple[tuple[Name, ...], tuple[Name, ...]], ...] = ()
    functions: tuple[Name, ...] = ()
    effects: tuple[Effect, ...] = ()
    is_literal_sensitive: bool = False
    is_definition: bool = False
    possible: tuple["References", ...] = ()
    words: frozenset[str] = frozenset()


class Collector:
    """Gathers what a walk over a statement finds; dictionaries stand for ordered sets."""

    def __init__(self) -> None:
        self._relations: dict[RelationUse, None] = {}
        self._columns: dict[ColumnUse, None] = {}
        self._types: dict[NamedUse, None] = {}
        self._labels: dict[LabelUse, None] = {}
        self._indexes: dict[NamedUse, None] = {}
        self._constraints: dict[ConstraintUse, None] = {}
        self._keys: dict[KeyUse, None] = {}
        self._natural: dict[tuple[tuple[Name, ...], tuple[Name, ...]], None] = {}
        self._functions: dict[Name, None] = {}
        self._effects: list[Effect] = []
        self._possible: dict[References, None] = {}
        self._words: set[str] = set()
        self.is_literal_sensitive = False
        self.is_definition = False

    def add_relation(
        self, name: Name, operation: Operation, *, is_whole: bool = False, event: Event | None = None
    ) -> None:
        """A relation is used."""
        self._relations[RelationUse(name, operation, is_whole, event)] = None

    def add_column(self, name: str, levels: tuple[tuple[Name, ...], ...], operation: Operation) -> None:
        """A column is used; where no relation is in sight it is some record's field."""
        if levels and name:
            self._columns[ColumnUse(name, levels, operation)] = None

    def add_type(self, name: Name, operation: Operation) -> None:
        """A type is used."""
        self._types[NamedUse(name, operation)] = None

    def add_label(self, kind: Name, label: str, operation: Operation) -> None:
        """A constant is of a type that may be an enum."""
        self._labels[LabelUse(kind, label, operation)] = None

    def add_index(self, name: Name) -> None:
        """An index is used by name, which only definitions do."""
        self._indexes[NamedUse(name, Operation.DDL)] = None

    def add_constraint(self, name: str, relation: Name | None, operation: Operation) -> None:
        """A constraint is used by name."""
        self._constraints[ConstraintUse(name, relation, operation)] = None

    def add_key(self, relation: Name, columns: frozenset[str]) -> None:
        """A unique constraint on these columns is relied on."""
        self._keys[KeyUse(relation, columns)] = None

    def add_natural(self, left: tuple[Name, ...], right: tuple[Name, ...]) -> None:
        """Relations are joined by the columns that both sides have."""
        self._natural[left, right] = None

    def add_function(self, name: Name) -> None:
        """A function is called."""
        self._functions[name] = None

    def add_effect(self, effect: Effect) -> None:
        """The statement does something to its session; order matters."""
        self._effects.append(effect)

    def add_possible(self, found: References) -> None:
        """A constant may be run as a statement."""
        self._possible[found] = None

    def add_words(self, words: Iterable[str]) -> None:
        """A constant has words in it that may name something."""
        self._words.update(words)

    def add_all(self, found: References, *, defines: bool = False) -> None:
        """All that a statement within this one names; nothing is done to rows where it is only defined."""
        for relation in found.relations:
            use = replace(relation, operation=Operation.DDL, event=None) if defines else relation
            self._relations[use] = None
        for column in found.columns:
            self._columns[replace(column, operation=Operation.DDL) if defines else column] = None
        self._types |= dict.fromkeys(found.types)
        self._labels |= dict.fromkeys(found.labels)
        self._indexes |= dict.fromkeys(found.indexes)
        self._constraints |= dict.fromkeys(found.constraints)
        self._keys |= dict.fromkeys(found.keys)
        self._natural |= dict.fromkeys(found.natural)
        self._possible |= dict.fromkeys(found.possible)
        self._words |= found.words
        if not defines:
            self._functions |= dict.fromkeys(found.functions)
            self._effects += found.effects
            self.is_definition |= found.is_definition

    def references(self) -> References:
        """All that was gathered."""
        return References(
            is_parsed=True,
            relations=tuple(self._relations),
            columns=tuple(self._columns),
            types=tuple(self._types),
            labels=tuple(self._labels),
            indexes=tuple(self._indexes),
            constraints=tuple(self._constraints),
            keys=tuple(self._keys),
            natural=tuple(self._natural),
            functions=tuple(self._functions),
            effects=tuple(self._effects),
            is_literal_sensitive=self.is_literal_sensitive,
            is_definition=self.is_definition,
            possible=tuple(self._possible),
            words=frozenset(self._words),
        )
