"""Waiting until actors have nothing left to do, without guessing how long that takes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from klemheist.actors.runtime import ActorDead, ActorRef, Future
from klemheist.supervisors.tree.ref import SupervisorRef

from .mail import TIMEOUT

if TYPE_CHECKING:
    from klemheist.supervisors import Node


def await_idle(*refs: ActorRef[Any], timeout: float = TIMEOUT) -> None:
    """Wait until these actors have handled what they were sent, and what followed from it.

    A supervisor stands for its whole tree: it is idle when nobody in it is starting, ending or
    about to be restarted at once. A child that waits out a backoff is idle. Messages that the
    actors send each other count; timers that are not due do not, nor does what others send.

    Args:
        refs: Actors and supervisors.
        timeout: Real seconds.

    Raises:
        AssertionError: They were not idle in time; it says who is busy.
    """
    deadline = time.monotonic() + timeout
    while True:
        for trip in [_Trip(ref) for ref in _everybody(refs)]:  # all are under way before one waits
            trip.wait(deadline)
        busy = _busy(refs)
        if not busy:
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"not idle after {timeout} s: {', '.join(busy)}")


def _busy(refs: tuple[ActorRef[Any], ...]) -> list[str]:
    """Who has something to do. All are held for the moment of the question.

    One after the other would not do: what the first sends while the second is looked at, and the
    second to the third, would never be seen.
    """
    alive = [ref for ref in _everybody(refs) if ref.reason is None]
    held: list[Any] = []
    try:
        for ref in alive:
            inbox = ref.actor_inbox
            if not hasattr(inbox, "hold"):  # another project's: it can be looked at, not held
                if len(inbox) or inbox.busy_for() is not None:
                    return [f"{ref} has a message"]
            elif inbox.hold():
                held.append(inbox)
            else:
                return [f"{ref} has a message"]
        return [f"{node.path} is {node.state}" for node in _nodes(refs) if _is_busy(node)] or [
            f"{ref} is new" for ref in _everybody(refs) if ref.reason is None and ref not in alive
        ]
    finally:
        for inbox in held:
            inbox.let_go()


def _everybody(refs: tuple[ActorRef[Any], ...]) -> list[ActorRef[Any]]:
    under = [node.ref for node in _nodes(refs) if node.ref is not None]
    return list(dict.fromkeys([*refs, *under]))


def _nodes(refs: tuple[ActorRef[Any], ...]) -> list[Node]:
    nodes: list[Node] = []
    for ref in refs:
        if isinstance(ref, SupervisorRef) and ref.reason is None:
            try:
                nodes += ref.snapshot().walk()
            except ActorDead:
                continue  # it has just ended
    return nodes


def _is_busy(node: Node) -> bool:
    if node.state in ("starting", "stopping"):
        return True
    if node.state == "restarting":
        return node.next_attempt_in is None
    return node.ref is not None and node.ref.reason is not None


class _Trip:
    """A call on its way through a mailbox: it comes out again, or the actor ends."""

    def __init__(self, ref: ActorRef[Any]) -> None:
        self._ref = ref
        self._over: Future[None] = Future()
        self._unwatch = ref.ended.add_done_callback(lambda _: self._over.set(None))
        inbox: Any = ref.actor_inbox  # takes bare calls too
        inbox.put((self._over.set, (None,)))

    def wait(self, deadline: float) -> None:
        """Wait until it is over."""
        try:
            self._over.get(timeout=max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            raise AssertionError(f"not idle in time: {self._ref} is still at something") from None
        finally:
            self._unwatch()
