"""What errors in the logs say to the guard: which former name a statement failed on, if that is proved."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from catalog.elements import Element, Kind
from catalog.snapshot import Snapshot
from ingest.evidence.languages import MessageKind
from ingest.evidence.messages import Message, decoder, message_of
from ingest.evidence.missing import INVALID_VALUE, missing_uses
from ingest.evidence.statements import Statements
from ingest.meaning.resolve import Use
from ingest.meaning.world import History
from migrations.guard.log import NAME_GONE, Row


@dataclass(frozen=True)
class Clock:
    """How far a server's clock is ahead of the primary's, and by how much that can be wrong."""

    ahead: timedelta = timedelta()
    doubt: timedelta = timedelta()


# The primary's own.
EXACT = Clock()


@dataclass(frozen=True)
class Heard:
    """Errors that a server's log told, by that server's clock."""

    node: str
    rows: Sequence[Row]
    clock: Clock = EXACT


@dataclass(frozen=True)
class Failure:
    """A statement that failed on the former name of an element in the attic.

    `node` is the server it failed on, `occurred_at` is by the clock of the primary. `is_proved` is false
    where it can have meant something else. `statement` has no constants.
    """

    element: Element
    migration_id: str
    node: str
    occurred_at: datetime
    is_proved: bool
    sqlstate: str
    role: str
    application: str
    client: str
    statement: str

    def __str__(self) -> str:
        who = f"{self.application or 'no application name'}, role {self.role or 'unknown'}"
        return f"{self.element} {self.sqlstate} on {self.node} by {who}: {self.statement}"


class FormerNames:
    """Finds the former names that errors are about, by what names meant and mean in one database."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._database = snapshot.database
        self._history = History(snapshot)
        self._decode = decoder(snapshot.encoding)
        self._statements = Statements()

    def failures(self, heard: Heard) -> Iterator[Failure]:
        """What failed on a former name; what failed before its element came into the attic is left out.

        Where the server's clock leaves open whether it was before, it was not.
        """
        for row in heard.rows:
            message = message_of(row, MessageKind.ERROR, self._decode)
            occurred_at = message.occurred_at - heard.clock.ahead
            world = self._history.world(occurred_at + heard.clock.doubt)
            statement = self._statements.of(message.sql or message.inner_sql)
            for use in missing_uses(message, self._statements, world):
                yield Failure(
                    use.element,
                    world.attic[use.element].migration_id,
                    heard.node,
                    occurred_at,
                    self._is_proved(use, message),
                    message.sqlstate,
                    message.role,
                    message.application,
                    message.client,
                    statement.text,
                )

    def _is_proved(self, use: Use, message: Message) -> bool:
        """Whether the statement names it at the position of the error, or speaks of its table or index."""
        if use.ambiguous or message.database != self._database or message.sqlstate not in NAME_GONE:
            return False
        if message.sqlstate == INVALID_VALUE:
            # A type refuses a value by whatever name; a label that it no longer knows is the renamed one.
            return use.element.kind is Kind.ENUM_VALUE
        position = message.inner_position if message.inner_sql else message.position
        found = self._statements.of(message.inner_sql or message.sql).references
        return position is not None or bool(found.relations or found.indexes)
