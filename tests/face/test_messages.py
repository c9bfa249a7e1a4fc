"""Errors are one line that says what to do, wherever they come from."""

from __future__ import annotations

import asyncio
from unittest import mock

import pytest

from klemheist import (
    ArgumentError,
    AsyncSessionManager,
    DeviceError,
    DeviceReset,
    HostFileNotFoundError,
    SessionManager,
)
from klemheist.transports.registry import create_link


@pytest.fixture(scope="module")
def manager():
    with SessionManager() as manager:
        yield manager


@pytest.fixture(scope="module")
def s(manager):
    with manager.session("sim:") as session:
        yield session


def refused(call, *args, **kwargs):
    with pytest.raises(ArgumentError, match="nothing was sent") as failed:
        call(*args, **kwargs)
    return str(failed.value)


def test_a_task_says_what_it_takes_before_anything_is_sent(manager, s):
    @s.task
    def add(a, b=1, *, scale=1):
        return (a + b) * scale

    assert (add(1), add(1, 2), add(b=2, a=1), add(1, scale=3)) == (2, 3, 3, 6)
    link = manager.device("sim:").link
    with mock.patch.object(link, "write") as write:
        assert refused(add) == "add: missing: a; nothing was sent"
        assert refused(add.submit, 1, 2, 3).startswith("add: 3 arguments are given, it takes 2")
        assert "unknown: c" in refused(add, 1, c=2)
    assert not write.called


def test_generators_threads_and_asyncio_say_it_too(s):
    assert "missing: n" in refused(s.task(source="def g(n):\n yield n"))
    assert "it takes 0" in refused(s.thread(source="def t():\n yield 1"), 1)

    async def call():
        async with AsyncSessionManager() as manager, manager.session("sim:") as session:
            await session.task(source="def f(a):\n return a")()

    with pytest.raises(ArgumentError, match="f: missing: a"):
        asyncio.run(call())


def test_a_device_that_booted_anew_says_what_is_gone(s):
    with pytest.raises(DeviceReset, match=r"execute: sim: booted anew, .* gone; make it again"):
        s("raise SystemExit")


def test_a_folder_that_is_not_there_is_both_errors(s):
    with pytest.raises(HostFileNotFoundError, match="/nosuch: there is no such folder on the host"):
        s.files.sync("/nosuch")
    with pytest.raises(FileNotFoundError):
        s.files.sync("/nosuch")


def test_a_board_without_complex_numbers_says_so():
    with SessionManager() as manager, manager.session("microbit:") as session:
        same = session.task(source="def same(x):\n return x")
        with pytest.raises(DeviceError, match="no complex numbers: send two floats"):
            same(1j)
        assert same(1) == 1


@pytest.mark.parametrize("url", ["exec:true", "sim:"])
def test_a_process_that_ended_says_what_happens_next(url):
    said = create_link(url)._why_lost(None)
    assert said == f"{url} is gone: its process ended; it is started again by itself, so call again"
