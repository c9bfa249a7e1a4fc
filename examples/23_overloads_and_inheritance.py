"""One program for several kinds of board, made of parts."""

# ruff: noqa: F811 -- the names live on the device, and some functions are overloads
from klemheist import Program, SessionManager, setup, task, teardown


class Clock(Program):
    @setup
    def clock():
        import time  # noqa: F401 -- for `now`

    @task(implementation="circuitpython")
    def now():
        return time.monotonic_ns() // 1_000_000

    @task  # for all others
    def now():
        return time.ticks_ms()

    @teardown
    def stopped():
        print("stopped")


class Greeting:  # a mixin: no program by itself
    @task
    def greet(name):
        return polite + name


class Greeter(Greeting, Clock):
    @setup
    def words(polite):  # after those of the bases
        pass

    @teardown
    def silent():  # before those of the bases
        print("silent")


with SessionManager() as manager:
    with manager.session("sim:", program=Greeter(polite="Dear ")) as s:
        output = s.output()
        assert s.program.greet("Ada") == "Dear Ada"
        assert s.program.now() > 0
    assert b"".join(output).split() == [b"silent", b"stopped"]
