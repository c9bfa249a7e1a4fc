"""The Device actor, as its port sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from klemheist.actors.runtime.future import Future

if TYPE_CHECKING:
    from .call import Call
    from .express import MakeCall
    from .short import Answer


class Brain(Protocol):
    """What the port needs of the Device actor that drives it now."""

    @property
    def waiting(self) -> int:
        """How many calls wait; from any thread."""

    def submit(self, call: Call) -> Future[Any]:
        """Take a call, from any thread."""

    def submit_all(self, calls: Sequence[Call]) -> list[Future[Any]]:
        """Take calls of one deadline, from any thread."""

    def post(self, fn: Callable[..., object], /, *args: Any) -> object:
        """Run `fn(*args)` as a turn of the actor."""

    def call_now(self, entry: int, plain: tuple[Any, ...], make_call: MakeCall) -> Answer:
        """Make a call on this thread if the device is idle."""

    def call_soon(
        self, entry: int, plain: tuple[Any, ...], make_call: MakeCall, owner: str
    ) -> Answer:
        """Send a call from the loop of this thread if the device is idle."""

    def interrupt(self, owner: str) -> None:
        """Interrupt what runs now, if it runs for `owner`; from any thread."""

    def is_at(self, future: Future[Any]) -> bool:
        """Whether the call of this future is under way; from any thread."""

    def break_off(self, future: Future[Any]) -> None:
        """Interrupt the call of this future, if it is under way; from any thread."""

    def hurry(self) -> None:
        """Open the link at once, if it is away; from any thread."""

    def release(self) -> None:
        """Leave the device as it was found, from any thread."""
