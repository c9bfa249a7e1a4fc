"""`captured_events`: what a tree, a manager or a publisher tells, kept for a test to look at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from klemheist.actors.streams import Publisher, Stream

from .mail import TIMEOUT, Mail, listing

E = TypeVar("E")


class HasEvents(Protocol):
    """A supervisor's ref, a session manager: whoever has an `events()`."""

    def events(self) -> Stream[Any]:
        """Return a stream of what happens from now on."""
        ...


class CapturedEvents:
    """The events that came, in order; look at them, or wait for one."""

    def __init__(self) -> None:
        self._mail: Mail[Any] = Mail()

    def add(self, event: Any) -> None:
        """Take an event; as a function it fits any callback, such as `on_event=events.add`."""
        self._mail.add(event)

    def expect(self, kind: type[E], *, timeout: float = TIMEOUT, **fields: Any) -> E:
        """Wait for an event that was not yet expected, of a class and with these fields.

        Args:
            kind: Its class.
            timeout: Real seconds.
            fields: What its attributes must equal.

        Returns:
            The first that fits; those before it stay, to be expected later.

        Raises:
            AssertionError: None came in time; it says what came instead.
        """
        found = self._mail.take(lambda event: _fits(event, kind, fields), timeout)
        if found is None:
            wanted = ", ".join(f"{name}={value!r}" for name, value in fields.items())
            came = listing(self._mail.waiting)
            raise AssertionError(f"no {kind.__name__}({wanted}) within {timeout} s; {came}")
        event: E = found[0]
        return event

    def expect_none(self, kind: type, **fields: Any) -> None:
        """See that no such event has come: let the tree be idle first (`await_idle`).

        Raises:
            AssertionError: One has.
        """
        came = [event for event in self._mail.history if _fits(event, kind, fields)]
        if came:
            raise AssertionError(f"expected no {kind.__name__}, but {listing(came)}")

    def of(self, *kinds: type[E]) -> list[E]:
        """All events of these classes so far, whether expected or not."""
        return [event for event in self._mail.history if isinstance(event, kinds)]

    def __iter__(self) -> Iterator[Any]:
        """All events so far."""
        return iter(self._mail.history)

    def __len__(self) -> int:
        return len(self._mail.history)


@contextmanager
def captured_events(
    source: Publisher[Any] | Stream[Any] | HasEvents, *kinds: type
) -> Iterator[CapturedEvents]:
    """Keep the events of `source` while the `with` block runs.

    Args:
        source: A publisher, anything with an `events()` (a supervisor's ref, a manager), or a
            stream, such as `system_events()` gives, which is closed in the end.
        kinds: The classes that are wanted; none for all.

    Returns:
        A context manager that gives a `CapturedEvents`.
    """
    captured = CapturedEvents()
    stream = _stream_of(source)
    stream.deliver(lambda event: captured.add(event) if _wanted(event, kinds) else None)
    try:
        yield captured
    finally:
        stream.close()


def _stream_of(source: Publisher[Any] | Stream[Any] | HasEvents) -> Stream[Any]:
    if isinstance(source, Publisher):
        return source.subscribe()
    return source if isinstance(source, Stream) else source.events()


def _wanted(event: Any, kinds: tuple[type, ...]) -> bool:
    return not kinds or isinstance(event, kinds)


def _fits(event: Any, kind: type, fields: dict[str, Any]) -> bool:
    missing = object()
    return isinstance(event, kind) and all(
        getattr(event, name, missing) == value for name, value in fields.items()
    )
