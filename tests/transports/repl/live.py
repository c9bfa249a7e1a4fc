"""Procedures over a real link, one thread, blocking: what the Device actor does, in fifty lines.

with LinkDriver("sim:") as driver:
    driver.attach()
    frame, error = driver.apply(Entry.EVAL, 0, b"6*7")
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from typing import Any, Final, Self

from klemheist.transports.errors import LinkError
from klemheist.transports.registry import create_link
from klemheist.transports.repl.agent import Entry
from klemheist.transports.repl.attach import Attached, Firmware, attach
from klemheist.transports.repl.conversation import Conversation
from klemheist.transports.repl.frames import Frame
from klemheist.transports.repl.lines import Procedure
from klemheist.transports.repl.once import numbered
from klemheist.transports.repl.procedures import applied
from klemheist.transports.repl.steps import NO_FRAME, Do, Outcome, Reply, Step

SECONDS: Final = 10.0
GRACE: Final = 0.25


class LinkDriver:
    """One open link and the conversation on it.

    Args:
        url: the device.
        hurry: all waiting times are multiplied by it, for boards that answer in microseconds.
    """

    def __init__(self, url: str, *, hurry: float = 1.0) -> None:
        self.talk = Conversation()
        self.output = b""
        self.signs = self.attachments = 0
        self.firmware: dict[str, Firmware] = {}
        self.up: Callable[[bytes], bytes] = bytes
        """What happens to bytes on their way to the board."""
        self._hurry = hurry
        self._arrived: queue.SimpleQueue[bytes | LinkError] = queue.SimpleQueue()
        self.link = create_link(url)
        self.link.open(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.link.close()

    def received(self, data: bytes) -> None:
        self._arrived.put(data)

    def lost(self, error: LinkError) -> None:
        self._arrived.put(error)

    # --- what tests say ---

    def attach(self, *, count: int = 4711, fresh: bool = False) -> Attached:
        self.attachments += 1
        boot = f"boot{self.attachments}"
        return self.run(
            attach(self.talk.board, boot=boot, count=count, firmware=self.firmware, fresh=fresh)
        )

    def call(self, index: int, *plain: object) -> tuple[Frame, bytes]:
        return self.run(numbered(self.talk.board, index, *plain))

    def apply(self, index: int, namespace: int, source: bytes) -> tuple[Frame, bytes]:
        return self.run(applied(self.talk.board, index, source, namespace))

    def deploy(self, entry: int, name: str, source: bytes) -> None:
        frame, error = self.run(applied(self.talk.board, Entry.EXEC, source, 1, entry, name))
        assert frame.text == "None", error

    def bare(self, code: bytes) -> bytes:
        """Execute raw, past the agent, and return the output."""
        reply = self._answer(Step(Do.EXECUTE, code, within=SECONDS))
        assert reply.ended, reply
        assert not reply.error, reply
        return reply.output

    def listen(self, until: bytes, seconds: float = SECONDS) -> None:
        """Wait for output that nobody asked for."""
        deadline = time.monotonic() + seconds
        while until not in self.output:
            self._take(self._next(deadline - time.monotonic()))

    # --- driving ---

    def run(self, procedure: Procedure[Any]) -> Any:
        try:
            step = next(procedure)
            while True:
                step = procedure.send(self._answer(step))
        except StopIteration as end:
            return end.value

    def _answer(self, step: Step) -> Reply:
        data = self.talk.begin(step)
        if step.do is Do.INTERRUPT:
            self.link.interrupt()
        else:
            self._write(data)
        until = time.monotonic() + (SECONDS if step.within is None else step.within * self._hurry)
        reply = None
        while reply is None:
            nearly = self.talk.nearly_ended
            try:
                arrived = self._next(GRACE * self._hurry if nearly else until - time.monotonic())
            except queue.Empty:
                reply = self._settle()
                if reply is None and (nearly or self._is_over(step)):
                    return self.talk.give_up()
                until = time.monotonic() + SECONDS
            else:
                reply = self._take(arrived)
        return reply

    def _write(self, data: bytes) -> None:
        if changed := self.up(data):
            self.link.write(changed)

    def _settle(self) -> Reply | None:
        return self._handle(self.talk.settle())

    def _is_over(self, step: Step) -> bool:
        return step.number == NO_FRAME or self.talk.unanswered or self._hurry < 1

    def _next(self, seconds: float) -> bytes:
        arrived = self._arrived.get(timeout=max(seconds, 0.0))
        if isinstance(arrived, LinkError):
            raise arrived
        return arrived

    def _take(self, arrived: bytes) -> Reply | None:
        return self._handle(self.talk.feed(arrived))

    def _handle(self, outcomes: list[Outcome]) -> Reply | None:
        reply = None
        for outcome in outcomes:
            self.output += outcome.output
            self.signs += outcome.sign
            if outcome.write:
                self._write(outcome.write)
            reply = outcome.reply or reply
        return reply
