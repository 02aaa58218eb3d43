"""Bounded retries for locks: the home of tenacity."""

from collections.abc import Callable

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from catalog.errors import LockTimeoutError

_ATTEMPTS = 5
_LONGEST_PAUSE_SECONDS = 5


def retrying(on_retry: Callable[[str], None]) -> Retrying:
    """Try again a few times, with growing random pauses, while a lock is not to be had."""

    def announce(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        pause = state.next_action.sleep if state.next_action else 0
        on_retry(f"attempt {state.attempt_number} of {_ATTEMPTS}: {error}; next in {pause:.1f} s")

    return Retrying(
        retry=retry_if_exception_type(LockTimeoutError),
        stop=stop_after_attempt(_ATTEMPTS),
        wait=wait_random_exponential(max=_LONGEST_PAUSE_SECONDS),
        before_sleep=announce,
        reraise=True,
    )
