"""A program bound to one session: `session.program.set(1)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .functions import AsyncThread, Thread
from .options import CallOptions
from .program import Program, Role
from .tasks import AsyncTask, Task, task_of

if TYPE_CHECKING:
    from .core import SessionCore


class Bound:
    """The tasks and threads of a program, by name."""

    task_class: type[Task[..., Any] | AsyncTask[..., Any]]
    thread_class: type[Thread | AsyncThread]

    def __init__(self, core: SessionCore, program: Program | None) -> None:
        self._program = program
        for name, marked in program.marked.items() if program is not None else ():
            assert program is not None
            source, mark = program.sources[name], marked.mark
            if mark.role is Role.TASK:
                options = CallOptions(mark.timeout, mark.idempotent)
                bound: object = task_of(self.task_class, core, source, options)
            elif mark.role is Role.THREAD:
                bound = self.thread_class(core, source, restart=mark.restart)
            else:
                continue
            setattr(self, name, bound)

    def __repr__(self) -> str:
        return f"<bound {self._program!r}>"

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


class BoundProgram(Bound):
    """A program bound to a `Session`."""

    task_class = Task
    thread_class = Thread


class AsyncBoundProgram(Bound):
    """A program bound to an `AsyncSession`."""

    task_class = AsyncTask
    thread_class = AsyncThread
