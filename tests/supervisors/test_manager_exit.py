"""A manager that nobody closes: a warning, its cleanup, and an interpreter that ends."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from klemheist import Resource, SessionManager
from tests.ends import dropped

HOST = f"exec:{sys.executable} {Path(__file__).parents[1] / 'boards' / 'raw_repl_host.py'}"


def run(code, *flags):
    """Run a program of a user to its end; its time, and what it wrote."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, *flags, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=25,
        check=False,
    )
    return time.monotonic() - began, done


OPEN = """
    import klemheist
    manager = klemheist.SessionManager()
    session = manager.create_session("sim:")
    led = klemheist.Resource("led", lambda _: print("cleaned", session("6 * 7")))
    session.resources.register_resource(led)
"""


@pytest.mark.req("SES-122")
def test_what_is_open_at_the_end_is_warned_of_and_cleaned_up():
    _, done = run(OPEN, "-W", "always::ResourceWarning")
    assert done.stdout == "cleaned 42\n"
    assert "ResourceWarning: a session manager with 1 sessions was never closed" in done.stderr
    assert done.returncode == 0


def test_the_interpreter_ends_though_a_cleanup_hangs():
    hangs = (
        OPEN
        + """
    import time
    from klemheist.supervisors.manager import unclosed
    unclosed.EXIT_WITHIN = 0.5
    session.resources.register_resource(klemheist.Resource("stuck", lambda _: time.sleep(60)))
    """
    )
    took, done = run(hangs)
    assert took < 8.0
    assert done.returncode == 0


def test_threads_of_the_user_end_before_their_manager_is_closed():
    threads = (
        OPEN
        + """
    import threading, time
    def work():
        time.sleep(0.3)
        print("worked", session("1 + 1"))
    threading.Thread(target=work).start()
    """
    )
    _, done = run(threads)
    assert done.stdout == "worked 2\ncleaned 42\n"


@pytest.mark.req("SES-122")
def test_a_manager_that_is_dropped_warns_and_is_closed_in_the_background():
    cleaned = []

    def use():
        manager = SessionManager()
        session = manager.create_session("sim:")
        session.resources.register_resource(Resource("led", lambda _: cleaned.append(1)))
        return session.logical

    with pytest.warns(ResourceWarning, match="1 sessions was never closed"):
        logical = dropped(use)
    assert logical.done.wait(5.0)
    assert cleaned == [1]


def test_a_session_that_is_held_keeps_its_manager_open():
    session = SessionManager().create_session("sim:")
    gc.collect()
    assert session("6 * 7") == 42
    session._finder.close()


def test_an_unused_manager_is_dropped_without_a_word(recwarn):
    SessionManager()
    gc.collect()
    assert not recwarn.list


FORKED = """
    import multiprocessing, os, sys
    import klemheist
    def main():
        manager = klemheist.SessionManager()
        session = manager.create_session("sim:")
        session("x = 6")
        FORK
        print("parent", session("x * 7"), session.generation, flush=True)
        manager.close()
    main()
"""
WAYS_TO_FORK = {
    "it exits": """
        if not (child := os.fork()):
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
    """,
    "multiprocessing": """
        child = multiprocessing.get_context("fork").Process(target=os.getpid)
        child.start()
        child.join()
        assert child.exitcode == 0
    """,
    "it drops what it inherited": """
        if not (child := os.fork()):
            del session, manager
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    """,
    "it uses what it inherited": """
        add = session.task(source="def add(a, b): return a + b")
        add(1, 2)
        if not (child := os.fork()):
            uses = [
                lambda: add(3, 4),
                lambda: add.submit(3, 4).get(timeout=5.0),
                lambda: session("x = 7"),
                lambda: session.files.read("/main.py"),
                lambda: manager.create_session("sim:"),
            ]
            for use in uses:
                try:
                    use()
                except klemheist.LinkLost as error:
                    assert "forked" in str(error), error
                else:
                    os._exit(1)
            session.close()
            manager.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert add(1, 2) == 3
    """,
    "it ends what it inherited": """
        held = klemheist.Resource("pump", lambda _: print("off", os.getpid() == parent, flush=True))
        session.resources.register_resource(held)
        tell = lambda _: print("end", flush=True)
        take_back = manager.register_session_cleanup(session.session_id, tell)
        parent = os.getpid()
        if not (child := os.fork()):
            session.resources.cleanup_resources()
            session.close()
            manager.end_session(session.session_id)
            with manager:
                pass
            manager.dispose()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        take_back()
        session.resources.unregister_resource(held.resource_id)
    """,
    "it has a manager of its own": """
        if not (child := os.fork()):
            with klemheist.SessionManager() as own, own.session("sim:") as mine:
                assert mine("6 * 7") == 42
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    """,
}


@pytest.mark.req("SES-122")
@pytest.mark.parametrize("way", WAYS_TO_FORK)
def test_a_forked_child_ends_and_leaves_its_parents_sessions_alone(way):
    fork = textwrap.indent(textwrap.dedent(WAYS_TO_FORK[way]).strip(), " " * 8).strip()
    _, done = run(FORKED.replace("FORK", fork))
    assert (done.returncode, done.stdout) == (0, "parent 42 1\n"), done.stderr


@pytest.mark.parametrize("url", ["sim:", "microbit:", HOST], ids=["sim", "microbit", "host"])
def test_a_board_ends_with_its_service_though_a_forked_child_lives(url):
    """A child holds a copy of each descriptor, also of those whose closing ends the board."""
    service = f"""
        import os, signal, time
        import klemheist
        manager = klemheist.SessionManager()
        session = manager.create_session({url!r})
        board = manager.device({url!r}).link.pid
        if not (child := os.fork()):
            os.close(1)
            os.close(2)
            time.sleep(60)
        print(board, child, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    _, done = run(service)
    board, child = map(int, done.stdout.split())
    try:
        ends = time.monotonic() + 10.0
        while is_alive(board):
            assert time.monotonic() < ends, "the board outlives its service"
            time.sleep(0.02)
        assert is_alive(child)
    finally:
        os.kill(child, signal.SIGKILL)


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
