"""Operations: one generator over futures, without a thread that waits."""

from __future__ import annotations

import asyncio
import threading

import pytest

from klemheist.actors.background import in_background
from klemheist.actors.operation import copy_to, operation, shielded
from klemheist.actors.runtime.errors import FutureCancelled
from klemheist.actors.runtime.future import Future


def ready(value=None, error=None):
    future = Future()
    if error is None:
        future.set(value)
    else:
        future.set_exception(error)
    return future


def test_an_operation_goes_on_with_the_values_of_its_futures():
    @operation
    def total(futures):
        found = 0
        for each in futures:
            found += yield each
        return found

    futures = [Future() for _ in range(3)]
    result = total(futures)
    assert not result.done()
    for number, each in enumerate(futures):
        each.set(number)
    assert result.get(timeout=1) == 3


def test_an_error_of_a_future_is_raised_where_it_was_yielded():
    @operation
    def careful():
        try:
            yield ready(error=ValueError("bad"))
        except ValueError as error:
            return f"handled {error}"

    assert careful().get(timeout=1) == "handled bad"


def test_what_an_operation_raises_belongs_to_whoever_gets_its_future():
    @operation
    def fails():
        yield ready()
        raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        fails().get(timeout=1)


def test_thousands_of_futures_that_are_ready_do_not_nest():
    @operation
    def long():
        for number in range(20_000):
            yield ready(number)
        return "done"

    assert long().get(timeout=5) == "done"


def test_cancelling_an_operation_cancels_what_it_waits_for_and_lets_it_clean_up():
    cleaned = Future()

    @operation
    def careful():
        try:
            yield waits_for
        finally:
            yield cleaned

    waits_for = Future()
    result = careful()
    result.cancel("enough")
    assert waits_for.cancelled()
    assert not result.done()  # its cleanup is under way
    cleaned.set(None)
    with pytest.raises(FutureCancelled, match="enough"):
        result.get(timeout=1)


def test_an_operation_can_be_awaited_and_cancelled_by_its_task():
    inner = Future()

    @operation
    def waits():
        yield inner

    async def main():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(waits(), 0.05)

    asyncio.run(main())
    assert inner.cancelled()


def test_a_shielded_future_goes_on_when_its_follower_is_cancelled():
    future = Future()
    follower = shielded(future)
    follower.cancel()
    assert follower.cancelled()
    assert not future.done()
    future.set(1)
    assert future.get() == 1


@pytest.mark.parametrize("error", [None, OSError("gone")])
def test_a_copy_ends_as_its_original_does(error):
    follower = Future()
    copy_to(follower, ready(5, error))
    assert follower.exception() is error
    if error is None:
        assert follower.get() == 5


def test_work_in_the_background_never_keeps_other_work_waiting():
    gate = threading.Event()
    slow = in_background(gate.wait, name="slow")
    assert in_background(lambda: 7, name="quick").get(timeout=5) == 7
    gate.set()
    assert slow.get(timeout=5) is True


def test_whatever_background_work_raises_reaches_its_future():
    def leaves():
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        in_background(leaves, name="leaves").get(timeout=5)
