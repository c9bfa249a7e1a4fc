"""The pool's queue: nothing is lost, nobody sleeps on, and its pipe stays nearly empty."""

from __future__ import annotations

import fcntl
import os
import termios
import threading
from array import array

import pytest

from klemheist.actors.runtime.ready import ReadyQueue
from tests.actors.runtime.test_process import run


def unread(queue):
    """How many bytes lie in its pipe."""
    count = array("i", [0])
    fcntl.ioctl(queue._read, termios.FIONREAD, count)
    return count[0]


def in_order(got, whose):
    """Whether what came from one putter came as it was put."""
    numbers = [number for who, number in got if who == whose]
    return numbers == sorted(numbers)


@pytest.fixture
def queue():
    queue = ReadyQueue()
    queue.open()
    yield queue
    queue.forget()


def test_first_in_first_out_without_a_byte_where_nobody_sleeps(queue):
    for number in range(100):
        queue.put(number)
    assert not queue.empty()
    assert unread(queue) == 0
    assert [queue.get() for _ in range(99)] == list(range(99))
    assert queue.take() == 99
    assert queue.empty()
    with pytest.raises(IndexError):
        queue.take()


def test_all_that_is_put_is_got_once_by_somebody(queue):
    getters, putters, each = 4, 4, 5000
    got = [[] for _ in range(getters)]

    def get(mine):
        while (item := queue.get()) is not None:
            mine.append(item)

    def put(whose):
        for number in range(each):
            queue.put((whose, number))

    takers = [threading.Thread(target=get, args=(mine,)) for mine in got]
    givers = [threading.Thread(target=put, args=(whose,)) for whose in range(putters)]
    for thread in (*takers, *givers):
        thread.start()
    for thread in givers:
        thread.join(20)
    for _ in takers:
        queue.put(None)
    for thread in takers:
        thread.join(20)
        assert not thread.is_alive(), "it sleeps on"
    assert sorted(item for mine in got for item in mine) == [
        (whose, number) for whose in range(putters) for number in range(each)
    ]
    assert all(in_order(mine, whose) for mine in got for whose in range(putters))
    assert unread(queue) == 0


def test_who_sleeps_is_woken_by_one_byte(queue):
    woken = threading.Event()

    def get():
        assert queue.get() == "something"
        woken.set()

    thread = threading.Thread(target=get)
    thread.start()
    while not queue._asleep:
        pass
    queue.put("something")
    assert woken.wait(5)
    thread.join(5)
    assert unread(queue) == 0


def test_a_ctrl_c_between_its_two_steps_still_wakes_who_sleeps(queue):
    class Interrupted(list):
        def pop(self, *args):
            super().pop(*args)
            raise KeyboardInterrupt

    thread = threading.Thread(target=queue.get)
    thread.start()
    while not queue._asleep:
        pass
    queue._asleep = Interrupted(queue._asleep)
    with pytest.raises(KeyboardInterrupt):
        queue.put("something")
    thread.join(5)
    assert not thread.is_alive()


def test_a_fork_leaves_the_parent_s_bytes_alone(queue):
    before = queue._read
    queue.put("the parent's")
    queue.forget()  # as in a child
    assert queue.empty()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(before)
    queue.forget()  # its descriptors may be gone already
    queue.open()
    assert os.fstat(queue._read)


def test_a_child_forked_in_a_turn_goes_on_without_the_parent_s_pipe():
    assert run(
        """
        def in_the_child():
            def ask():
                assert Echo.start().ask(os.getpid, timeout=10) == os.getpid()
                os._exit(0)
            threading.Thread(target=ask).start()
        os.register_at_fork(after_in_child=in_the_child)
        ref = Echo.start()
        pid = ref.ask(os.fork, timeout=10)  # the child has the worker's thread, and no asker
        assert os.waitpid(pid, 0)[1] == 0
        assert ref.ask(os.getpid, timeout=10) == os.getpid()
        print("parent")
        """
    ) == ["parent"]
