"""Retrying an operation in a session: only what may succeed the next time (SES-104 to SES-107)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from klemheist.actors.errors import SessionError
from klemheist.actors.runtime.check import is_count
from klemheist.transports.errors import KlemheistError
from klemheist.transports.repl.values import ArgumentError

if TYPE_CHECKING:
    from tenacity import AsyncRetrying, RetryCallState, Retrying

T = TypeVar("T")

FIRST_DELAY: Final = 2.0
"""Seconds: the delay before the n-th retry is 2**n (SES-105)."""


def is_retryable(error: BaseException) -> bool:
    """Whether the same operation may succeed when it is tried again."""
    return isinstance(error, KlemheistError) and error.is_recoverable


def _exhausted(state: RetryCallState) -> Any:
    outcome = state.outcome
    assert outcome is not None
    error = outcome.exception()
    raise SessionError(
        f"Operation failed after {state.attempt_number} attempts: {error}"
    ) from error


def _policy(kind: type[Any], max_retries: int) -> Any:
    import tenacity  # noqa: PLC0415 -- imported at first use: 110 ms

    if not is_count(max_retries):
        raise ArgumentError(f"max_retries={max_retries!r}: give at least 1, a whole number")
    return kind(
        retry=tenacity.retry_if_exception(is_retryable),
        stop=tenacity.stop_after_attempt(max_retries),
        wait=tenacity.wait_exponential(multiplier=FIRST_DELAY, exp_base=2),
        retry_error_callback=_exhausted,
    )


def with_retry(attempt: Callable[[], T], max_retries: int) -> T:
    """Call `attempt` until it works, at most `max_retries` times."""
    import tenacity  # noqa: PLC0415 -- as above

    policy: Retrying = _policy(tenacity.Retrying, max_retries)
    return policy(attempt)


async def with_retry_async(attempt: Callable[[], Awaitable[T]], max_retries: int) -> T:
    """Await `attempt` until it works, at most `max_retries` times."""
    import tenacity  # noqa: PLC0415 -- as above

    async def once() -> T:  # tenacity awaits coroutine functions only, whatever else returns
        return await attempt()

    policy: AsyncRetrying = _policy(tenacity.AsyncRetrying, max_retries)
    return await policy(once)
