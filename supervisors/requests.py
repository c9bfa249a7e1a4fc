"""Which requests a supervisor refuses, and why (the table of supervision.md 2.6). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from klemheist.actors.runtime import ActorDead, AskTimeout

from .errors import (
    AlreadyPresent,
    AlreadyStarted,
    ChildNotFound,
    ChildRestarting,
    ChildRunning,
    MaxChildren,
    StartError,
)
from .steps import ChildState, RestartChild, StartChild, TerminateChild

if TYPE_CHECKING:
    from .core import Core
    from .steps import DeleteChild, Entry, Request


def refusal_of(request: Request, core: Core) -> Exception | None:
    """The error that answers `request`, or None if it can be met."""
    entry = core.children.get(request.id)
    if core.closing:
        return ActorDead("the supervisor is ending: ask the one that is started after it")
    if isinstance(request, StartChild):
        return _cannot_add(request, entry, core)
    if entry is None:
        return ChildNotFound(f"no child {request.id!r}: children() lists those there are")
    if isinstance(request, TerminateChild):
        return None
    return _not_down(request, entry)


def _cannot_add(request: StartChild, entry: Entry | None, core: Core) -> Exception | None:
    limit = core.max_children
    if entry is not None and entry.alive:
        return AlreadyStarted(f"{request.id!r} runs already: use it, or another id", entry.ref)
    if entry is not None:
        return AlreadyPresent(f"{request.id!r} is known: restart_child() it, or delete_child() it")
    if limit is not None and len(core.children) >= limit:
        return MaxChildren(f"no more than {limit} children here: terminate one")
    return None


def _not_down(request: RestartChild | DeleteChild, entry: Entry) -> Exception | None:
    if entry.alive:
        return ChildRunning(f"{request.id!r} runs: terminate it first")
    if entry.state is ChildState.RESTARTING:
        return ChildRestarting(f"{request.id!r} is being restarted: wait, or terminate it")
    return None


def failure_of(entry: Entry, error: BaseException) -> StartError:
    """What is told of a child that did not start because of `error`."""
    if entry.overdue:
        error = AskTimeout(f"on_start took longer than {entry.spec.start_timeout} s")
    return StartError(entry.spec.id, error)
