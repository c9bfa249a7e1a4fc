"""Tasks that live no longer than what a `Done` belongs to."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:
    from types import TracebackType

    from .done import Done

T = TypeVar("T")


class Scope:
    """A group of asyncio tasks that is cancelled when a `Done` closes (DONE-017).

        async with session.done.scope() as tasks:
            tasks.create_task(watch(session))
            ...

    Leaving the block waits for the tasks; leaving it by an exception cancels them. A task that
    fails cancels the others, and its exception is raised at the end of the block, alone or with
    others in an `ExceptionGroup`, as `asyncio.TaskGroup` does. That `done` closes is no error: the
    tasks are cancelled and the block goes on.
    """

    def __init__(self, done: Done) -> None:
        self._done = done
        self._group = asyncio.TaskGroup()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._watch: asyncio.Task[None] | None = None

    def create_task(
        self, work: Coroutine[Any, Any, T], *, name: str | None = None
    ) -> asyncio.Task[T]:
        """Start a task; after `done` it is cancelled at once."""
        task = self._group.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        if self._done.is_set():
            task.cancel()
        return task

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._watch = asyncio.create_task(self._cancel_all(), name="klemheist-scope")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self._group.__aexit__(kind, error, traceback)
        finally:
            if self._watch is not None:
                self._watch.cancel()
                await asyncio.wait({self._watch})  # so that it leaves nothing registered

    async def _cancel_all(self) -> None:
        await self._done
        for task in tuple(self._tasks):
            task.cancel()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
