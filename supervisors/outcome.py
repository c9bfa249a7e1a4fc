"""How an operation's end and its session's end become one outcome (SES-012, SES-108)."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from loguru import logger

from klemheist.actors.errors import ResourceCleanupError
from klemheist.actors.operation import shielded
from klemheist.actors.runtime import AskTimeout, Future
from klemheist.transports.errors import LinkTimeout

T = TypeVar("T")


def got(future: Future[T], timeout: float | None) -> T:
    """Wait for a future; what is not there in time is cancelled."""
    try:
        return future.get(timeout=timeout)
    except AskTimeout as error:
        future.cancel(f"not done within {timeout} s")
        raise LinkTimeout(f"not done within {timeout} s; what was begun is undone") from error


async def awaited(future: Future[T], timeout: float | None) -> T:
    """Await a future; what is not there in time is cancelled."""
    try:
        async with asyncio.timeout(timeout):
            return await future
    except TimeoutError as error:
        if isinstance(error, LinkTimeout):
            raise
        raise LinkTimeout(f"not done within {timeout} s; what was begun is undone") from error


def quietly(ending: Future[None]) -> None:
    """Wait for the end of a session whose operation failed: that error is the one to be told."""
    try:
        ending.get()
    except ResourceCleanupError as error:
        logger.warning("{}", error)


async def quietly_async(ending: Future[None]) -> None:
    """`quietly` for asyncio."""
    try:
        await shielded(ending)
    except ResourceCleanupError as error:
        logger.warning("{}", error)


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
