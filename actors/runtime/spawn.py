"""Starting actors for a supervisor: `spawn`, and `start_linked`, which waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

import pykka

from .actor import Actor
from .foreign import wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from .exits import ExitReason
    from .ref import ActorRef

A = TypeVar("A", bound=pykka.Actor)


def spawn(
    cls: type[A],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    restarted: tuple[ExitReason, int] | None = None,
    prepare: Callable[[A], object] | None = None,
    inherit: Iterable[Any] = (),
) -> ActorRef[A]:
    """Start an actor for a supervisor: not in `pykka.ActorRegistry` (DESIGN 8.16).

    Args:
        cls: Its class: an `Actor`, or any other of Pykka's, which is wrapped.
        args: For the constructor.
        kwargs: For the constructor.
        restarted: What `on_restart` is told; None in the first incarnation.
        prepare: Called with the new actor before it starts.
        inherit: The `leftovers()` of an earlier incarnation: its first messages.

    Returns:
        The ref at once; `ref.started` says when, and whether, `on_start` has run.
    """
    actor: Any = (cls if issubclass(cls, Actor) else wrapped(cls))(*args, **(kwargs or {}))
    actor._actor_supervised = True  # noqa: SLF001  one package
    if restarted is not None:
        actor._actor_restarted = restarted  # noqa: SLF001  one package
    if prepare is not None:
        prepare(actor)
    if inherit:
        actor.actor_inbox.inherit(inherit)
    ref = cast("ActorRef[A]", actor.actor_ref)
    actor._start_actor_loop()  # noqa: SLF001  Pykka's name
    return ref


def start_linked(
    cls: type[A], *args: Any, timeout: float | None = None, **kwargs: Any
) -> ActorRef[A]:
    """`spawn`, and wait until `on_start` has run.

    Raises:
        Ignore: The actor declined to start.
        AskTimeout: It did not start within `timeout` seconds, and was killed.
        BaseException: What `on_start` raised.
    """
    ref = spawn(cls, args, kwargs)
    try:
        ref.started.get(timeout=timeout)
    except TimeoutError:
        ref.kill()
        raise
    return ref
