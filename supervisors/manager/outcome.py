"""How an operation's end and its session's end become one outcome (SES-012, SES-108)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

from loguru import logger

from klemheist.actors.errors import ResourceCleanupError
from klemheist.actors.operation import shielded
from klemheist.actors.runtime import AskTimeout, Future
from klemheist.transports.errors import LinkTimeout

if TYPE_CHECKING:
    from klemheist.actors.session.core import SessionCore

T = TypeVar("T")

_LATE: Final = "not done within {} s, and what was begun is undone; give a longer timeout="


def got(future: Future[T], timeout: float | None) -> T:
    """Wait for a future; it is cancelled where it is not there in time, or the waiter gives up."""
    try:
        return future.get(timeout=timeout)
    except AskTimeout as error:
        future.cancel(f"not done within {timeout} s")
        raise LinkTimeout(_LATE.format(timeout)) from error
    except BaseException:
        future.cancel("nobody waits for it any more")
        raise


async def awaited(future: Future[T], timeout: float | None) -> T:
    """Await a future; it is cancelled where it is not there in time, or the waiter gives up."""
    try:
        async with asyncio.timeout(timeout):
            return await future
    except TimeoutError as error:
        if isinstance(error, LinkTimeout):
            raise
        raise LinkTimeout(_LATE.format(timeout)) from error
    except BaseException:
        future.cancel("nobody waits for it any more")
        raise


def got_session(creating: Future[SessionCore], timeout: float | None = None) -> SessionCore:
    """Wait for a session; nobody's session is left where the waiter gives up."""
    try:
        return got(creating, timeout)
    except BaseException:
        _unwanted(creating)
        raise


async def awaited_session(
    creating: Future[SessionCore], timeout: float | None = None
) -> SessionCore:
    """Await a session; nobody's session is left where the waiter gives up."""
    try:
        return await awaited(creating, timeout)
    except BaseException:
        _unwanted(creating)
        raise


def _unwanted(creating: Future[SessionCore]) -> None:
    """Cancel a creation; where it was done in the very moment, end what it made."""
    creating.cancel("nobody waits for it any more")
    creating.add_done_callback(lambda done: done.exception() or done.get().end())


def nothing_to_do() -> Future[None]:
    """Return a future that is resolved."""
    done: Future[None] = Future()
    done.set(None)
    return done


def quietly_ended(ending: Future[None]) -> Future[None]:
    """Return a future of a session's end that fails with nothing: it is logged.

    For where another error, or nobody, is to be told. Cancelling it leaves the ending alone.
    """
    ended: Future[None] = Future()

    def tell(_: object) -> None:
        error = ending.exception()
        if error is not None:
            logger.warning("{}", error)
        ended.set(None)

    ending.add_done_callback(tell)
    return ended


def with_result(ending: Future[None], result: T) -> T:
    """Return the result once the session has ended; a cleanup error carries it (SES-108)."""
    try:
        ending.get()
    except ResourceCleanupError as error:
        error.result = result
        raise
    return result


async def with_result_async(ending: Future[None], result: T) -> T:
    """`with_result` for asyncio."""
    try:
        await shielded(ending)
    except ResourceCleanupError as error:
        error.result = result
        raise
    return result
