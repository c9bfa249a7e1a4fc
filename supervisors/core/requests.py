"""What is asked of a supervisor: refused, or carried out (the table of supervision.md 2.6)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from klemheist.actors.runtime import ActorDead

from . import effects as do
from . import inputs as got
from .child import checked_spec
from .entry import ChildState
from .errors import (
    AlreadyPresent,
    AlreadyStarted,
    ChildNotFound,
    ChildRestarting,
    ChildRunning,
    InvalidChildSpec,
    MaxChildren,
    NotSupported,
)
from .steps import Cause, Saying, Starting, Stopping

if TYPE_CHECKING:
    from collections.abc import Hashable

    from .core import Core
    from .entry import Entry


def arrived(core: Core, request: got.Request) -> None:
    """Find out which child is meant, then deal with the request when its turn comes."""
    try:
        request = _addressed(core, request)
    except (ChildNotFound, NotSupported) as error:
        core.refuse(request.reply, error)
        return
    core.in_turn(request)


def _addressed(core: Core, request: got.Request) -> got.Request:
    """The request, with the id of its child."""
    if isinstance(request, got.StartFromTemplate):
        if core.template is None:
            raise NotSupported(
                "no template here: give start_child() a ChildSpec", "invalid_child_spec"
            )
        serial = core.totals.next_serial()
        args = (*core.template.args, *request.args)
        return got.StartChild(core.template.having(id=serial, args=args), request.reply)
    if isinstance(request, (got.StartChild, got.Reconfigure)):
        if isinstance(request, got.StartChild) and core.template is not None:
            raise NotSupported(
                "a template says what the children are: give start_child() arguments"
            )
        return request
    if core.template is not None and not isinstance(request, got.TerminateChild):
        raise NotSupported("children of a template cannot be restarted or deleted by request")
    named = request.id
    if core.template is not None and isinstance(named, got.Incarnation) and named.gone:
        key = core.id_of(named.ref)  # None: it is gone, as was wanted
    else:
        key = key_of(core, named)
    return dataclasses.replace(request, id=key)


def key_of(core: Core, id_or_incarnation: Hashable) -> Hashable:
    """The id by which a child is known here.

    Raises:
        ChildNotFound: No child of a dynamic supervisor is, or was last, that actor.
        NotSupported: Children of a template are named by their refs.
    """
    if isinstance(id_or_incarnation, got.Incarnation):
        key = core.id_of(id_or_incarnation.ref)
        if key is not None:
            return key
        raise ChildNotFound(
            f"{id_or_incarnation.ref} is no child here: a static one goes by its id"
        )
    if core.template is not None:
        raise NotSupported(f"{id_or_incarnation!r}: children of a template go by their refs")
    return id_or_incarnation


def refusal_of(request: got.Request, core: Core) -> Exception | None:
    """The error that answers `request`, or None if it can be met."""
    if core.closing:
        return ActorDead("the supervisor is ending: ask the one that is started after it")
    entry = core.children.get(request.id)
    if isinstance(request, got.StartChild):
        return _cannot_add(request, entry, core)
    if isinstance(request, got.TerminateChild) and core.template is not None:
        return None  # it is gone: that is what was wanted
    if entry is None:
        return ChildNotFound(f"no child {request.id!r}: children() lists those there are")
    if isinstance(request, got.TerminateChild):
        return None
    return _not_down(request.id, entry)


def _cannot_add(request: got.StartChild, entry: Entry | None, core: Core) -> Exception | None:
    try:
        checked_spec(request.spec, core.spec.auto_shutdown)
    except InvalidChildSpec as error:
        return error
    limit = core.spec.max_children
    if entry is not None and entry.alive:
        return AlreadyStarted(f"{request.id!r} runs already: use it, or another id", entry.ref)
    if entry is not None:
        return AlreadyPresent(f"{request.id!r} is known: restart_child() it, or delete_child() it")
    if limit is not None and len(core.children) >= limit:
        return MaxChildren(f"no more than {limit} children here: terminate one")
    return None


def _not_down(key: Hashable, entry: Entry) -> Exception | None:
    if entry.alive:
        return ChildRunning(f"{key!r} runs: terminate it first")
    if entry.state is ChildState.RESTARTING:
        return ChildRestarting(f"{key!r} is being restarted: wait, or terminate it")
    return None


def carry_out(core: Core, request: got.Event) -> None:
    """Do what is asked, unless it is refused."""
    assert isinstance(
        request, (got.StartChild, got.RestartChild, got.TerminateChild, got.DeleteChild)
    )
    refusal = refusal_of(request, core)
    if refusal is not None:
        core.refuse(request.reply, refusal)
        return
    entry = core.children.get(request.id)
    match request:
        case got.StartChild(spec):
            entry = core.add(spec)
            core.run(entry.lane, [Starting(request.id, Cause.REQUEST, request.reply)])
        case got.RestartChild(key) if entry is not None:
            core.run(entry.lane, [Starting(key, Cause.AGAIN, request.reply)])
        case got.TerminateChild(key) if entry is not None:
            said = Saying((do.Reply(request.reply, None),))
            core.run(entry.lane, [Stopping({key}), said])
        case got.DeleteChild() if entry is not None:
            core.forget(entry)
            core.reply(request.reply, None)
        case _:
            core.reply(request.reply, None)
