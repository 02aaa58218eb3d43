"""Bounded retries for locks, which say who is in the way: the home of tenacity."""

from collections.abc import Callable, Collection
from typing import NoReturn

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from analytics.sentences import count
from catalog.database import Database
from catalog.errors import DatabaseError, LockTimeoutError
from migrations.blockers import describe, in_the_way, lock_holders

_ATTEMPTS = 5
_LONGEST_PAUSE_SECONDS = 5


def retrying(
    on_retry: Callable[[str], None],
    *,
    db: Database | None = None,
    oids: Collection[int] = (),
    attempts: int | None = None,
) -> Retrying:
    """Try again a few times (or `attempts`), with growing random pauses, while a lock is not to be had.

    `on_retry` is told of each failed attempt and, where `db` is given, who holds a lock on the relations
    with these OIDs (on any, without them). The last failure names them too.
    """

    at_most = attempts or _ATTEMPTS

    def announce(state: RetryCallState) -> None:
        pause = state.next_action.sleep if state.next_action else 0
        on_retry(
            f"attempt {state.attempt_number} of {at_most}: {_error(state).what}; next in {pause:.1f} s;"
            f" {_who(db, oids)}"
        )

    def give_up(state: RetryCallState) -> NoReturn:
        error = _error(state)
        raise LockTimeoutError(
            f"{error.what} in {_attempts(state.attempt_number)}; {_who(db, oids)}",
            sqlstate=error.sqlstate,
            where=error.where,
            todo=error.todo,
        ) from error

    return Retrying(
        retry=retry_if_exception_type(LockTimeoutError),
        stop=stop_after_attempt(at_most),
        wait=wait_random_exponential(max=_LONGEST_PAUSE_SECONDS),
        before_sleep=announce,
        retry_error_callback=give_up,
    )


def _attempts(number: int) -> str:
    return count(number, "attempt")


def _error(state: RetryCallState) -> LockTimeoutError:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, LockTimeoutError), "nothing else is tried again"
    return error


def _who(db: Database | None, oids: Collection[int]) -> str:
    if db is None:
        return "who holds the lock is not known"
    try:
        holders = lock_holders(db)
    except DatabaseError as error:
        return f"who holds the lock cannot be seen: {error.what}"
    # A constraint's lock is its table's, whose OID the caller may not know.
    return describe(in_the_way(holders, oids) or in_the_way(holders))
