"""What a statement refers to: names as written, before any catalog is asked."""

from dataclasses import dataclass
from typing import Literal

from ingest.schemas import Operation

# A name as written: schema or None, and name.
Name = tuple[str | None, str]


@dataclass(frozen=True, slots=True)
class RelationUse:
    """A relation named in a statement; `is_whole` where all its columns are meant without being named."""

    relation: Name
    operation: Operation
    is_whole: bool = False


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
class NamedUse:
    """A type or an index named in a statement."""

    name: Name
    operation: Operation


@dataclass(frozen=True, slots=True)
class SetPath:
    """The session's search_path becomes `schemas`, or its default again (None).

    `is_local` where that holds until the end of the transaction.
    """

    schemas: tuple[str, ...] | None
    is_local: bool = False


@dataclass(frozen=True, slots=True)
class SetRole:
    """Another role acts from now on: what "$user" in a search_path means is not known any more."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction begins, is committed, or is rolled back (whole: savepoints are not followed)."""

    step: Literal["begin", "commit", "rollback"]


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

    `is_literal_sensitive` where a constant of it may name something (`nextval('s')`, `'t'::regclass`, a DO
    body, `SET search_path`), so that texts which differ in constants alone must be read each on their own.
    `words` are all identifiers of a text that could not be parsed, and empty otherwise.
    """

    is_parsed: bool
    relations: tuple[RelationUse, ...] = ()
    columns: tuple[ColumnUse, ...] = ()
    types: tuple[NamedUse, ...] = ()
    indexes: tuple[NamedUse, ...] = ()
    constraints: tuple[ConstraintUse, ...] = ()
    functions: tuple[str, ...] = ()
    effects: tuple[Effect, ...] = ()
    is_literal_sensitive: bool = False
    words: frozenset[str] = frozenset()


class Collector:
    """Gathers what a walk over a statement finds; dictionaries stand for ordered sets."""

    def __init__(self) -> None:
        self._relations: dict[RelationUse, None] = {}
        self._columns: dict[ColumnUse, None] = {}
        self._types: dict[NamedUse, None] = {}
        self._indexes: dict[NamedUse, None] = {}
        self._constraints: dict[ConstraintUse, None] = {}
        self._functions: dict[str, None] = {}

    def add_relation(self, name: Name, operation: Operation, *, is_whole: bool = False) -> None:
        """A relation is used."""
        self._relations[RelationUse(name, operation, is_whole)] = None

    def add_column(self, name: str, levels: tuple[tuple[Name, ...], ...], operation: Operation) -> None:
        """A column is used; where no relation is in sight it is some record's field."""
        if levels and name:
            self._columns[ColumnUse(name, levels, operation)] = None

    def add_type(self, name: Name, operation: Operation) -> None:
        """A type is used."""
        self._types[NamedUse(name, operation)] = None

    def add_index(self, name: Name) -> None:
        """An index is used by name, which only definitions do."""
        self._indexes[NamedUse(name, Operation.DDL)] = None

    def add_constraint(self, name: str, relation: Name | None, operation: Operation) -> None:
        """A constraint is used by name."""
        self._constraints[ConstraintUse(name, relation, operation)] = None

    def add_function(self, name: str) -> None:
        """A function is called."""
        self._functions[name] = None

    def references(self) -> References:
        """All that was gathered."""
        return References(
            is_parsed=True,
            relations=tuple(self._relations),
            columns=tuple(self._columns),
            types=tuple(self._types),
            indexes=tuple(self._indexes),
            constraints=tuple(self._constraints),
            functions=tuple(self._functions),
        )
