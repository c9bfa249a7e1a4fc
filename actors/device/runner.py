"""Drives one procedure at a time over a conversation: begins steps, times them, feeds replies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from klemheist.transports.repl.conversation import Conversation
from klemheist.transports.repl.lines import Procedure
from klemheist.transports.repl.steps import Do, Reply, Step

GRACE: Final = 0.25
"""Seconds that the prompt may stay away once a call's frame is there; then it got lost."""

Done = Callable[[Any, BaseException | None], None]


class Runner:
    """The one procedure under way with a device, if any.

    1. `start` begins it. 2. `reply` and `expire` drive it. 3. `done(value, error)` is called once,
    unless `abandon` came first.
    """

    __slots__ = (
        "_conversation",
        "_done",
        "_extended",
        "_nearly",
        "_patience",
        "_procedure",
        "_send",
        "_step",
        "_until",
        "reserved",
    )

    def __init__(self, conversation: Conversation, send: Callable[[Step, bytes], None]) -> None:
        self._conversation = conversation
        self._send = send
        self._procedure: Procedure[Any] | None = None
        self._done: Done = _nobody
        self._step: Step | None = None
        self._patience: float | None = None
        self._extended = False
        self.reserved = False
        """Whether an awaited call is under way, which has no procedure yet (`short.py`)."""
        self._until: float | None = None
        self._nearly: float | None = None

    @property
    def active(self) -> bool:
        """Whether a procedure is under way."""
        return self._procedure is not None or self.reserved

    def start(
        self,
        procedure: Procedure[Any],
        now: float,
        done: Done,
        *,
        patience: float | None = None,
    ) -> None:
        """Begin a procedure; it may be done when this returns.

        Args:
            procedure: what to run.
            now: monotonic seconds.
            done: told its value or its error.
            patience: seconds for a step once the device has accepted it; None where a call's own
                deadline counts.
        """
        self._procedure, self._done, self._patience = procedure, done, patience
        self._advance(None, now)

    def adopt(self, procedure: Procedure[Any], now: float, done: Done) -> None:
        """Go on with a procedure whose first step is under way already."""
        self._procedure, self._done, self._patience = procedure, done, None
        self._step = step = next(procedure)
        self._extended, self._nearly = False, None
        self._until = None if step.within is None else now + step.within

    def reply(self, reply: Reply, now: float) -> None:
        """Give the procedure the answer to its step."""
        if self._procedure is not None:
            self._advance(reply, now)

    def abandon(self) -> None:
        """Drop the procedure; `done` is not called."""
        procedure, self._procedure = self._procedure, None
        self._step = self._until = self._nearly = None
        if procedure is not None:
            procedure.close()

    def expire(self, now: float) -> None:
        """Give up the step under way if its time is up, or if only the prompt got lost."""
        step, talk = self._step, self._conversation
        if step is None:
            return
        if talk.nearly_ended:
            self._nearly = self._nearly or now
            if now - self._nearly >= GRACE:
                self._advance(talk.give_up(), now)
        elif self._until is not None and now >= self._until:
            if step.number < 0 or talk.unanswered or self._extended:
                self._advance(talk.give_up(), now)
            else:  # accepted: from here on the call's own deadline counts, or our patience
                self._extended = True
                if nudge := talk.nudge:
                    self._send(step, nudge)
                self._until = None if self._patience is None else now + self._patience

    def goes_on(self, now: float) -> None:
        """The device took a line and gets the next one of the step: each has its own time."""
        if self._step is not None and self._step.following and self._step.within is not None:
            self._until = now + self._step.within

    def give_up(self, now: float) -> None:
        """End the step under way: its answer will not come."""
        if self._step is not None:
            self._advance(self._conversation.give_up(), now)

    def next_check(self, now: float) -> float | None:
        """Return when `expire` should be called next; None while nothing is under way."""
        if self._step is None:
            return None
        return now + GRACE if self._until is None else min(now + GRACE, self._until)

    def _advance(self, reply: Reply | None, now: float) -> None:
        procedure = self._procedure
        assert procedure is not None
        self._step = self._until = self._nearly = None
        try:
            step = next(procedure) if reply is None else procedure.send(reply)
        except StopIteration as end:
            self._procedure = None
            self._done(end.value, None)
        except Exception as error:  # noqa: BLE001 -- `done` sorts them
            self._procedure = None
            self._done(None, error)
        else:
            self._begin(step, now)

    def _begin(self, step: Step, now: float) -> None:
        talk = self._conversation
        ended = step.do is Do.INTERRUPT and talk.at_prompt
        if ended or (step.do is Do.LEAVE and not talk.listening):
            self._advance(Reply(ended=True), now)  # it came to its end by itself
            return
        self._step, self._extended = step, False
        self._until = None if step.within is None else now + step.within
        self._send(step, b"" if step.do is Do.HARD_RESET else talk.begin(step))


def _nobody(value: Any, error: BaseException | None) -> None:
    """Stands where nobody waits."""
