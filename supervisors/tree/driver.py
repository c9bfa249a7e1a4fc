"""`Driver`: the actor around a supervisor's core. It takes events in and carries effects out.

It is inline: it has no thread, and no turn of it waits for anything, at any depth of the tree.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from klemheist.actors.runtime import LATER, POOL, ActorDead, ExitReason, Future, register
from klemheist.supervisors.core import effects as do
from klemheist.supervisors.core import inputs as got

from .at_exit import forget_root, note_root
from .launch import will_not_restart
from .leftovers import kill_all
from .parent import Parent
from .ref import SupervisorRef

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from klemheist.actors.runtime import Timer


class Driver(Parent):
    """Does what the core orders, from its start to its end. Subclasses say what the core is."""

    inline = True
    starts_later = True
    ask_failure = "crash"
    ref_class = SupervisorRef

    # Of these most supervisors need none: they stand here once, and in one that differs.
    _child_timers: dict[Hashable, Timer] | None = None
    _replies: set[Future[Any]] | None = None
    """Of requests that are not answered yet."""
    _is_root = False
    _leaving = False
    _untold = True

    # -- hooks

    def before_shutdown(self, done: Callable[[], None]) -> None:
        """Do what must be done while the children still run; then call `done`, from any thread.

        Called once, on the supervisor's turn, at each orderly end; it must not block. The parent's
        deadline counts from before it. Children that crash meanwhile are restarted.
        """
        done()

    # -- the life of an actor

    def on_start(self) -> None:
        """Start the children; `ref.started` says when they are up."""
        if not self._actor_supervised:  # a root keeps the pool's threads while it lives
            POOL.enter()
            note_root(self._actor_self)
            self._is_root = True
        if self.name is not None:
            register(self.name, self._actor_self)
        clock = self.timers.clock
        self._core.path = self.path
        self._core.wall_offset = clock.time() - clock.monotonic()
        self.post(self._feed, got.Begin())  # not here: a deep tree would be a deep stack

    def on_receive(self, message: Any) -> Any:
        """Requests are answered when they are carried out."""
        reply = getattr(message, "reply", None)
        if reply is None:
            return super().on_receive(message)
        with self._reading:
            if self._released:  # killed meanwhile, from another thread
                raise ActorDead(f"{self} ended before it answered")
            if self._replies is None:
                self._replies = set()
            self._replies.add(reply)
        self._feed(message)
        return LATER

    def _actor_leave(self, reason: ExitReason) -> None:
        if self._leaving or not self._actor_self.started.done():
            self._feed(got.Shutdown(reason))  # nothing to prepare, or it is prepared no longer
            return
        self._leaving = True
        if self._actor_hook(self.before_shutdown, partial(self._prepared, reason)) is not None:
            self._feed(got.Shutdown(reason))

    def _prepared(self, reason: ExitReason) -> None:
        self.post(self._feed, got.Shutdown(reason))

    def _actor_finish(self, reason: ExitReason, start_error: BaseException | None = None) -> None:
        super()._actor_finish(reason, start_error)
        with self._reading:
            untold, self._untold = self._untold, False
        if untold and self._actor_self.reason is not None:
            self._tell_end(self._actor_self.reason)

    def _actor_released(self) -> None:
        with self._reading:
            self._released = True
            left = [(key, e.ref) for key, e in self._core.children.items() if e.alive]
            waiting = [*(self._replies or ()), *(self._awaited or {}).values()]
        for timer in list((self._child_timers or {}).values()):
            timer.cancel()
        for _, ref in left:
            will_not_restart(ref)
        kill_all([ref for _, ref in left])  # killed, or crashed: nobody else will
        for key, ref in left:
            self._keep(key, ref)
        for maker in list((self._makers or {}).values()):
            maker.abandon()
        if self._leftovers is not None:
            self._leftovers.discard_all()
        if self._is_root:
            POOL.leave()
            forget_root(self._actor_self)
        for future in waiting:
            future.set_exception(ActorDead(f"{self} ended before it answered"))

    # -- effects out

    def _carry_out(self, effect: do.Effect) -> None:  # noqa: C901, PLR0912  a table, one line a row
        match effect:
            case do.Note(event):
                self._tell(event)
            case do.Start():
                self._spawn(effect)
            case do.Stop(key, ref):
                will_not_restart(ref)
                ref.exit(ExitReason.SHUTDOWN)
                self._look_again(key, ref)
            case do.Kill(key, ref):
                will_not_restart(ref)
                ref.kill()
                self._look_again(key, ref)
            case do.Discard(key):
                if self._leftovers is not None:
                    self._leftovers.discard(key)
            case do.Arm():
                self._arm(effect)
            case do.Disarm(key):
                timer = None if self._child_timers is None else self._child_timers.pop(key, None)
                if timer is not None:
                    timer.cancel()
            case do.Reply(to, value):
                self._answered(to)
                to.set(value)
            case do.Refuse(to, error):
                self._answered(to)
                to.set_exception(error)
            case do.Up():
                self._actor_started()
            case do.GiveUp(reason):
                self._actor_leave(reason)
            case do.Down():
                self._down(effect)

    def _answered(self, reply: Future[Any]) -> None:
        if self._replies is not None:
            self._replies.discard(reply)

    def _arm(self, arm: do.Arm) -> None:
        if arm.delay <= 0:
            self.post(self._feed, arm.event)
        else:
            timer = self.timers.call_later(arm.delay, self.post, self._feed, arm.event)
            if self._child_timers is None:
                self._child_timers = {}
            self._child_timers[arm.id] = timer

    def _down(self, down: do.Down) -> None:
        if down.error is None:
            self._actor_end(down.reason)
        else:
            self._actor_finish(ExitReason.error(down.error), down.error)
