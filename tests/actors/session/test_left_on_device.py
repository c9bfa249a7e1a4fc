"""What ended sessions leave in the agent's own tables, which `__main__` does not show: nothing."""

from __future__ import annotations

FREE = "__import__('gc').collect() or __import__('gc').mem_free()"


AGENT = "__import__('__main__')._k"


def held_by_agent(session):
    """How many entries its function table has, and the numbers of its namespaces."""
    return session(f"(len({AGENT}(-1,'G')),list({AGENT}(-1,'S')))")


def tasks_of(session, count):
    return [session.task(source=f"def f{n}(a):\n return a+{n}") for n in range(count)]


def test_sessions_with_functions_take_no_memory_of_the_smallest_board_once_they_have_ended(manager):
    with manager.session("microbit:") as session:  # what is sent once a boot is there afterwards
        first, second, _ = tasks_of(session, 3)
        assert [task(n) for n in range(20) for task in (first, second)][-1] == 20
    free = set()
    for _ in range(8):
        with manager.session("microbit:") as session:
            assert [task(1) for task in tasks_of(session, 3)] == [1, 2, 3]
            free.add(session(FREE))
    assert max(free) - min(free) < 100, "one session takes more, and there is room for forty"


def test_a_session_of_very_many_functions_is_dropped_in_several_calls(manager):
    with manager.session("sim:") as session:
        assert [task(1) for task in tasks_of(session, 40)] == [n + 1 for n in range(40)]
        number = session._core.namespace.number
        assert held_by_agent(session)[0] >= 40
    with manager.session("sim:") as session:
        entries, namespaces = held_by_agent(session)
        assert entries < 10, "the fixed ones"
        assert number not in namespaces
