"""How a spec becomes an actor: a class is spawned, a factory is run where it may take its time."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

import pykka

from klemheist.actors.runtime import Actor, ActorDead, ActorRef, ActorRestarted, Ignore, spawn
from klemheist.supervisors.core.flags import Directive, Restart

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from klemheist.supervisors.core.child import ChildSpec
    from klemheist.supervisors.core.effects import Start


class Maker(Actor):
    """Runs a factory as if it were the child's `on_start`: on the pool, and it can be killed."""

    def __init__(
        self, factory: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> None:
        super().__init__()
        self._make: Callable[[], Any] = partial(factory, *args, **kwargs)
        self.spec: ChildSpec | None = None
        """What it is to say of the child's end; set before it starts."""
        self.made: ActorRef[Any] | None = None
        self.info: Any = None

    def on_start(self) -> None:
        """Start the child, and wait until it has."""
        made = self._make()
        if made is None:
            raise Ignore
        ref, info = made if isinstance(made, tuple) and len(made) == len("ri") else (made, None)
        if not isinstance(ref, ActorRef):
            raise TypeError(
                f"the factory returned {made!r}: return the ref of a klemheist.Actor, (ref, info), "
                "None, or what start_foreign() gave"
            )
        self.made, self.info = ref, info
        if self.spec is not None:
            _tell_of_its_end(ref.actor(), self.spec)
        if self._actor_self.has_ended:  # killed meanwhile, without anything to abandon
            self.abandon()
        ref.started.get()

    def abandon(self) -> None:
        """Kill what it made: nobody wants it any more."""
        if self.made is not None:
            self.made.kill()


def launch(
    start: Start, prepare: Callable[[Any], object], inherit: Sequence[Any] = ()
) -> ActorRef[Any]:
    """Start what `start.spec` says; the ref at once.

    Args:
        start: The order.
        prepare: Called with the actor before it starts.
        inherit: Its first messages.

    Raises:
        BaseException: What the constructor raised.
    """
    spec = start.spec
    cls = spec.cls
    if cls is None:
        return spawn(Maker, (spec.start, spec.args, spec.kwargs), prepare=prepare)
    args, kwargs = spec.args, spec.kwargs
    if getattr(cls, "is_supervisor", False) and _goes_by_init(cls, spec.start):
        args, kwargs = (), {"arguments": (args, kwargs)}
    return spawn(
        cast("Any", cls),
        args,
        kwargs,
        restarted=start.restarted,
        prepare=prepare,
        inherit=inherit,
    )


def adopt(ref: ActorRef[Any], parent: ActorRef[Any]) -> None:
    """Make an actor that somebody started a supervised one (DESIGN 8.16)."""
    actor: Any = ref.actor()
    if actor is not None:
        actor._actor_supervised = True  # noqa: SLF001  its supervisor
        actor._actor_parent = parent  # noqa: SLF001  its supervisor
    pykka.ActorRegistry.unregister(ref)


def introduce(actor: Any, spec: ChildSpec, parent: ActorRef[Any]) -> None:
    """Tell a new actor whose child it is and what its spec says of its end, before it starts."""
    actor._actor_parent = parent  # noqa: SLF001  its supervisor
    if isinstance(actor, Maker):
        actor.spec = spec
        return
    if spec.keeps_messages:
        actor._actor_keeps = True  # noqa: SLF001  its supervisor
    _tell_of_its_end(actor, spec)


def _tell_of_its_end(actor: Any, spec: ChildSpec) -> None:
    if actor is None:  # it has ended already
        return
    if spec.restart is Restart.PERMANENT:
        actor._actor_lost = ActorRestarted  # noqa: SLF001  its supervisor
    if Directive.RESUME in spec.on_error.values():
        actor._actor_resumes = lambda error: spec.directive_for(error) is Directive.RESUME  # noqa: SLF001  its supervisor


def will_not_restart(ref: ActorRef[Any]) -> None:
    """Its supervisor ends it: who is refused is told no more than that."""
    actor: Any = ref.actor()
    if actor is not None:
        actor._actor_lost = ActorDead  # noqa: SLF001  its supervisor
        actor._actor_keeps = False  # noqa: SLF001  its supervisor


def _goes_by_init(cls: Any, start: Any) -> bool:
    return bool(cls.has_init() or getattr(start, "__name__", "") == "start_with")
