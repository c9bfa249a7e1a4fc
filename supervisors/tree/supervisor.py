"""`Supervisor`: starts children in order, restarts what crashes, stops in reverse order.

with Supervisor.start([child(Sampler, "a"), child(Uploader)], max_restarts=3) as tree:
    print(tree.snapshot().render())
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast, overload

from klemheist.actors.runtime import Ignore, Timers
from klemheist.actors.runtime.check import shown
from klemheist.supervisors.core.core import Core
from klemheist.supervisors.core.errors import InitError, InvalidFlags
from klemheist.supervisors.core.flags import AutoShutdown
from klemheist.supervisors.core.keys import known_only
from klemheist.supervisors.core.strategy import Strategy
from klemheist.supervisors.core.supervisor_spec import MAX_RESTARTS, PERIOD, SupervisorSpec

from .driver import Driver
from .options import check_options
from .view import View

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from klemheist.actors.runtime import Clock
    from klemheist.supervisors.core.child import ChildSpec
    from klemheist.supervisors.core.events import TreeEvent

    from .ref import SupervisorRef


class Supervisor(View, Driver):
    """An actor that supervises others. Give it children, or subclass it and override `init`.

    Args:
        children: Their specs, in start order.
        strategy: Whom a restart concerns.
        max_restarts: How many restarts in `period` seconds are allowed; one more, and the
            supervisor ends all children and exits with reason shutdown.
        period: See `max_restarts`.
        auto_shutdown: Whether the end of significant children ends the supervisor.
        name: Registered for it while it lives; also the root's name in paths, which else is root.
        clock: Another clock than the system's, for tests.
        on_event: Called with each `TreeEvent` of this supervisor and those under it, on whichever
            thread brings it; must be quick.
        arguments: What `init` is given; see `start_with`.

    Raises:
        InvalidChildSpec: A child's spec is wrong.
        InvalidFlags: An argument is wrong.
    """

    is_supervisor: ClassVar[bool] = True
    dynamic: ClassVar[bool] = False

    @known_only(InvalidFlags, "bad_flags")
    def __init__(
        self,
        children: Sequence[ChildSpec] = (),
        *,
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        max_restarts: int = MAX_RESTARTS,
        period: float = PERIOD,
        auto_shutdown: AutoShutdown = AutoShutdown.NEVER,
        name: str | None = None,
        clock: Clock | None = None,
        on_event: Callable[[TreeEvent], object] | None = None,
        arguments: tuple[Sequence[Any], Mapping[str, Any]] | None = None,
        _spec: SupervisorSpec | None = None,
    ) -> None:
        check_options(name=name, clock=clock, on_event=on_event, arguments=arguments)
        if arguments is not None or self.has_init():
            spec = self._ask_init(*(arguments or ((), {})))
        else:
            spec = _spec or SupervisorSpec(
                children,
                strategy=strategy,
                max_restarts=max_restarts,
                period=period,
                auto_shutdown=auto_shutdown,
            )
        spec.check_for(dynamic=self.dynamic)
        core = Core(spec, dynamic=self.dynamic)
        super().__init__(core, name=name, on_event=on_event)
        if clock is not None:
            self.timers = Timers(clock)

    @overload
    @classmethod
    def start(
        cls,
        children: Sequence[ChildSpec] = (),
        *,
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        max_restarts: int = MAX_RESTARTS,
        period: float = PERIOD,
        auto_shutdown: AutoShutdown = AutoShutdown.NEVER,
        name: str | None = None,
        clock: Clock | None = None,
        on_event: Callable[[TreeEvent], object] | None = None,
    ) -> SupervisorRef[Any]: ...

    @overload
    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> SupervisorRef[Any]: ...

    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> SupervisorRef[Any]:
        """Start a tree of its own and wait until all its children are up.

        The arguments are the class's; or those of `init`, where the class has one (`start_with`).

        Raises:
            StartError: A child did not start; those before it have been stopped.
        """
        if cls.has_init():
            ref = cls.start_with(*args, **kwargs)
            assert ref is not None, "init declined to start: use start_with(), which gives None"
            return ref
        return cls._start_root(*args, **kwargs)

    @classmethod
    def start_with(
        cls,
        *args: Any,
        name: str | None = None,
        clock: Clock | None = None,
        on_event: Callable[[TreeEvent], object] | None = None,
        **kwargs: Any,
    ) -> SupervisorRef[Any] | None:
        """Start a subclass that has an `init`, which is given `args` and `kwargs`.

        Args:
            args: For `init`.
            name: As the class's.
            clock: As the class's.
            on_event: As the class's.
            kwargs: For `init`.

        Returns:
            The ref; None where `init` declined to start (`Ignore`).

        Raises:
            InitError: `init` raised, or returned something else than a `SupervisorSpec`.
            StartError: A child did not start; those before it have been stopped.
        """
        try:
            return cls._start_root(
                arguments=(args, kwargs), name=name, clock=clock, on_event=on_event
            )
        except Ignore:
            return None

    @classmethod
    def _start_root(cls, *args: Any, **kwargs: Any) -> SupervisorRef[Any]:
        ref = cast("SupervisorRef[Any]", super().start(*args, **kwargs))
        try:
            ref.started.get()
        except KeyboardInterrupt:
            ref.kill()
            raise
        return ref

    def init(self, *args: Any, **kwargs: Any) -> SupervisorSpec:
        """Say what this supervisor supervises: for subclasses. Runs before it starts.

        Raises:
            Ignore: It declines to start.
        """
        raise NotImplementedError(f"{type(self).__name__}.init({args}, {kwargs})")

    @classmethod
    def has_init(cls) -> bool:
        """Whether the class says itself what it supervises."""
        return cls.init is not Supervisor.init

    def _ask_init(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> SupervisorSpec:
        name = type(self).__name__
        try:
            spec: object = self.init(*args, **kwargs)
        except Ignore:
            raise
        except Exception as error:
            raise InitError(f"{name}.init raised {shown(error)}", "init_failed") from error
        if not isinstance(spec, SupervisorSpec):
            message = f"{name}.init returned {spec!r}: return a SupervisorSpec"
            raise InitError(message, "bad_return")
        return spec
