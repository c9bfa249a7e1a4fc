"""A first session: run code on a board, deploy a function, call it."""

import klemheist

with klemheist.SessionManager() as manager:
    with manager.session("sim:") as s:  # a real MicroPython, embedded: no hardware needed

        @s.task
        def add(a, b):
            return a + b

        assert add(2, 3) == 5  # deployed once, then called
        assert s("6 * 7") == 42  # expression or statements, as in Belay
        s.execute("led = 1", timeout=2.0)
        later = add.submit(20, 22)  # a klemheist.Future: .get(), await, .cancel()
        assert later.get(timeout=2.0) == 42
        assert add.map(range(100), range(100)) == list(range(0, 200, 2))  # many, together
