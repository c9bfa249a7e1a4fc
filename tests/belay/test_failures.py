"""What fails with Belay, Belay.NET and mpremote, or makes their users suffer: ours does not.

Each test names the failure as it was seen; those of Belay and mpremote were executed.
"""

# ruff: noqa: F821 -- functions here run on the device
from __future__ import annotations

import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from klemheist import (
    DeviceError,
    DeviceMemoryError,
    DeviceReset,
    LinkLost,
    LinkTimeout,
    Program,
    SessionClosed,
    SessionError,
    SessionManager,
    StaleHandle,
    setup,
    thread,
)
from tests.actors.session.conftest import HOST
from tests.actors.session.test_generators import held


class TestDecorators:
    def test_a_thread_with_an_option_in_a_class_does_not_block(self, host, boards, within):
        """Belay: `@Device.thread(<any option>)` in a class makes a task, and its call blocks."""

        class Ticker(Program):
            @setup
            def init():
                ticks = [0]

            @thread(restart=True)
            def tick():
                while True:
                    ticks[0] += 1
                    yield 0.01

        with boards.session(HOST, program=Ticker()) as session:
            session.program.tick()
            assert within(lambda: session("ticks[0]") > 2)
            assert session.resources.get_active_threads()

    def test_options_given_at_an_instance_arrive(self, s):
        """Belay: `@device.teardown(ignore_errors=True)` drops the option; test_device_classes.py
        has the same of setups and teardowns."""
        one = s.task(source="def one():\n return 1", timeout=1.5, idempotent=True)
        assert (one.options.timeout, one.options.idempotent) == (1.5, True)
        assert s.thread(source="def t():\n yield 1", restart=True).restart

    def test_no_result_is_cached(self, s):
        """Belay.NET: results are cached by default, and `read(11)` gives that of `read(21)`."""
        s("reads = []")
        read = s.task(source="def read(x):\n reads.append(x)\n return len(reads), x")
        assert [read(11), read(21), read(11)] == [(1, 11), (2, 21), (3, 11)]

    def test_a_task_is_deployed_and_its_result_typed(self, s):
        """Belay.NET: the task must be on the device already, and a typed result is a default."""
        give = s.task(source="def give():\n return [1, 2.5, 'x', None]")
        assert give() == [1, 2.5, "x", None]


class TestObjects:
    def test_an_abandoned_generator_leaves_nothing_on_the_device(self, s, within):
        """Belay: an abandoned generator leaks its global on the device."""
        count = s.task(source="def count():\n while True:\n  yield 1")
        for _ in range(5):
            next(count())
        gc.collect()
        assert within(lambda: held(s) == (0, 0))
        assert s("sorted(globals())") == ["count"]

    def test_collecting_proxies_in_mid_call_disturbs_nothing(self, s, within):
        """Belay: a proxy's finaliser sends on the wire at any time, from any thread."""
        s("things = [object() for _ in range(10)]")
        double = s.task(source="def double(x):\n return 2 * x")

        def use(start):
            for number in range(start, start + 30):
                proxy = s.proxy(f"things[{number % 10}]")
                assert double(number) == 2 * number
                del proxy
                gc.collect(0)
            return True

        with ThreadPoolExecutor(3) as pool:
            assert all(pool.map(use, (0, 100, 200)))
        gc.collect()
        assert within(lambda: held(s) == (0, 0))


class TestOutput:
    def test_bytes_that_are_no_text_are_output_like_all_others(self, host):
        """Belay: output that is not UTF-8 raises UnicodeDecodeError."""
        pieces = []
        code = "import sys\nsys.stdout.flush()\nimport os\nn = os.write(1, b'\\xff\\xfe\\x80')"
        host.execute(code, on_output=pieces.append)
        assert b"\xff\xfe\x80" in b"".join(pieces)
        assert host("1 + 1") == 2

    def test_a_thread_that_prints_between_calls_is_no_fault(self, host, within):
        """Belay: fatal after 10 s; mpremote: hangs; Thonny: the protocol is corrupted."""
        host("go = [1]")
        code = "def chatter():\n while klemheist_running():\n  print('tick', end=' ')"
        chatter = host.thread(source=code)()
        add = host.task(source="def add(a, b):\n return a + b")
        assert [add(n, 1) for n in range(50)] == list(range(1, 51))
        chatter.stop()
        assert host("go") == [1]

    @pytest.mark.parametrize("pause", ["time.sleep(0.0005)", "time.sleep(0)", "pass"])
    def test_two_threads_that_print_during_calls_damage_nothing(self, host, pause):
        """Thonny, Belay: what threads print gets into replies. Two of them print at once."""
        host("import time")
        code = "def chatter(word):\n while klemheist_running():\n  print(word, end=' ')\n  "
        start = host.thread(source=code + pause)
        threads = [start(word) for word in ("tick", "tock")]
        add = host.task(source="def add(a, b):\n print('call-%d.' % a)\n return [a + b, 'x' * 200]")
        said = []
        for n in range(40):
            assert add.with_options(on_output=said.append)(n, 1) == [n + 1, "x" * 200]
        futures = [add.submit(n, 1) for n in range(40, 80)]
        assert [each.get() for each in futures] == [[n + 1, "x" * 200] for n in range(40, 80)]
        for each in threads:
            each.stop()
        for word in (b"tick", b"tock", *(b"call-%d." % n for n in range(40))):
            assert word in b"".join(said)
        assert host("1 + 1") == 2

    def test_output_that_looks_like_an_error_or_a_frame_is_output(self, s):
        """Belay.NET: `Error:` in the output fails the call. Pyboard: `\\x04` and `>` end it."""
        pieces = []
        code = "print('ValueError: no'); print(chr(4) + chr(4) + '>'); print('_BELAYR|1|2')"
        s.execute(code, on_output=pieces.append)
        for each in (b"ValueError: no", b"\x04\x04>", b"_BELAYR|1|2"):
            assert each in b"".join(pieces)
        assert s("'é' + chr(0x1f600)") == "é\U0001f600"

    def test_control_bytes_in_code_arrive_as_they_are(self, s):
        """Raw REPL: bytes 1 to 4 in the code reset, wipe or split the command."""
        text = "a\x01\x02\x03\x04b"
        assert s(repr(text)) == text
        assert s.task(source="def n(x):\n return x")(text) == text


class TestCallers:
    def test_several_threads_may_call_at_once(self, s):
        """Belay: 3 threads with 20 calls each: none ok, 2 protocol errors, 3 threads hang."""
        double = s.task(source="def double(x):\n return 2 * x")
        with ThreadPoolExecutor(3) as pool:
            found = list(pool.map(double, range(60)))
        assert found == [2 * n for n in range(60)]

    def test_closing_in_mid_call_tells_the_caller_so(self, boards):
        """Belay: `close()` during a call gives the caller an AttributeError of a None."""
        session = boards.create_session(HOST)
        began = threading.Event()
        failed = []

        def call():
            try:
                session.execute(
                    "import time\nprint('x')\ntime.sleep(20)", on_output=lambda _: began.set()
                )
            except SessionError as error:
                failed.append(error)

        caller = threading.Thread(target=call)
        caller.start()
        assert began.wait(5)
        session.close()
        caller.join(5)
        assert len(failed) == 1
        with pytest.raises(SessionClosed):
            session("1")

    def test_no_call_waits_for_ever(self, host):
        """Belay, mpremote: no deadline; `while True: pass` blocks for ever."""
        with pytest.raises(LinkTimeout) as failed:
            host.execute("while True: pass", timeout=0.3)
        assert failed.value.maybe_executed
        assert host("1 + 1") == 2

    def test_a_call_that_is_given_up_does_not_go_on(self, host):
        """mpremote: Ctrl-C on the host leaves the program running. Belay.NET: out of step."""
        host("n = 0")
        output = host.output()
        call = host.submit("print('begun')\nwhile True: n += 1")
        next(iter(output))
        call.cancel("not wanted")
        before = host("n")
        assert host("n") == before

    def test_an_interrupt_that_is_swallowed_does_not_end_the_session(self, boards):
        """rshell, Thonny: code that catches Ctrl-C cannot be broken into."""
        with boards.session(HOST) as session:
            code = "while True:\n try:\n  while True: pass\n except KeyboardInterrupt: pass"
            with pytest.raises(LinkTimeout) as failed:
                session.execute(code, timeout=0.3)
            failed.value.recovery.get(timeout=20)
            assert session("1 + 1") == 2


class TestLives:
    def test_a_command_that_loses_the_link_runs_once(self, boards, tmp_path):
        """Belay: on reconnecting it replays its history, and the failing command runs twice."""
        ran = tmp_path / "ran"
        with boards.session(HOST) as session:
            code = f"import os, signal\nopen({str(ran)!r}, 'a').write('x')\nos.kill(os.getpid(), 9)"
            with pytest.raises(LinkLost) as failed:
                session(code)
            assert failed.value.maybe_executed
            assert session("1 + 1") == 2
        assert ran.read_text() == "x"

    def test_system_exit_is_a_reset_and_says_so(self, s):
        """Belay: it passes for success, and the next call dies of a NameError of Belay's own."""
        add = s.task(source="def add(a, b):\n return a + b")
        assert add(1, 2) == 3
        with pytest.raises(DeviceReset):
            s("import sys\nsys.exit()")
        assert add(1, 2) == 3

    def test_what_a_reset_took_is_stale_and_not_another_thing(self, s):
        """Users: `soft_reset` wipes all state silently."""
        s("x = [1]")
        proxy = s.proxy("x")
        with pytest.raises(DeviceReset):
            s("raise SystemExit")
        with pytest.raises(StaleHandle):
            proxy[0]

    def test_a_thread_ends_with_its_session(self, boards, within):
        """Belay: after `close()` the device's threads are still alive."""
        with boards.session(HOST) as watcher:
            watcher("import _thread")
            before = watcher("_thread._count()")
            with boards.session(HOST) as session:
                session.thread(source="def t():\n while klemheist_running(): pass")()
                assert within(lambda: watcher("_thread._count()") > before)
            assert within(lambda: watcher("_thread._count()") == before)

    def test_state_outlives_the_connection(self):
        """mpremote, Belay: connecting soft-resets, and what was in the device's RAM is gone."""
        with SessionManager() as manager:
            with manager.session("sim:") as session:
                session("import __main__\n__main__.kept = 5")
            with manager.session("sim:") as session:
                assert session("__import__('__main__').kept") == 5

    def test_nothing_is_left_of_an_earlier_user(self, manager):
        """Belay: the next run finds the names of the last."""
        with manager.session("sim:") as session:
            session("secret = 1")
            session.task(source="def left():\n return 1")()
        with manager.session("sim:") as session:
            assert session("sorted(globals())") == []

    def test_a_prompt_of_the_user_s_own_is_no_obstacle(self):
        """Belay: waits for `>>> `, which `sys.ps1` may replace."""
        with SessionManager() as manager, manager.session("sim:") as session:
            session("import sys\nsys.ps1 = '$ '")
            with pytest.raises(DeviceReset):
                session("raise SystemExit")
            assert session("1 + 1") == 2

    def test_thousands_of_commands_may_be_given(self, s):
        """Belay: after 1,000 recorded commands MaxHistoryLengthError."""
        s("n = 0")
        for _ in range(1100):
            s.submit("n += 1").get()
        assert s("n") == 1100
        with pytest.raises(DeviceReset):
            s("raise SystemExit")
        with pytest.raises(DeviceError, match="NameError"):
            s("n")


class TestBoards:
    def test_a_board_without_machine_opens(self):
        """Belay: its startup imports Pin, PWM and Timer unguarded, so many ports do not open."""
        with SessionManager() as manager, manager.session("microbit:") as session:
            assert session("sorted(globals())") == []
            with pytest.raises(DeviceError):
                session("from machine import Pin, PWM, Timer")
            assert session("1 + 1") == 2

    def test_a_port_whose_raw_paste_is_broken_is_not_asked_for_it(self, s):
        """pyboard: the probe wedges `webassembly` for good."""
        assert s.device.capabilities.platform == "webassembly"
        assert not s.device.capabilities.raw_paste

    def test_capabilities_are_known_at_once(self, manager):
        """Belay.NET: always `unknown`, after two seconds."""
        with manager.session("sim:") as session:
            found = session.device.capabilities
        assert (found.implementation, found.threads) == ("micropython", False)

    def test_code_is_not_judged_by_its_words(self, s):
        """Belay.NET: refuses `exec(`, `getattr(`, `hex`, `os.listdir(`."""
        assert s("getattr('x', 'upper')()") == "X"
        assert s("hex(255)") == "0xff"
        s("exec('y = 1')\nimport os\nnames = os.listdir('/')")
        assert s("y") == 1

    def test_an_exhausted_memory_is_an_error_with_the_free_bytes(self):
        """Users: MemoryError on upload, and nothing works any more."""
        with SessionManager() as manager, manager.session("microbit:") as session:
            with pytest.raises(DeviceMemoryError) as failed:
                session("x = bytearray(20000)")
            assert failed.value.free > 0
            assert session("1 + 1") == 2

    def test_each_device_has_its_own_session(self, manager):
        """Belay.NET: the second device is given the first one's session."""
        with manager.session("sim:") as one, manager.session("sim:other") as other:
            one("x = 1")
            other("x = 2")
            assert (one("x"), other("x")) == (1, 2)

    def test_an_operation_in_a_session_ends_it(self, manager):
        """Belay.NET: `ExecuteInSessionAsync` never ended its session."""
        before = manager.get_session_stats().active_session_count
        assert manager.execute_in_session("sim:", lambda session: session("6 * 7")) == 42
        assert manager.get_session_stats().active_session_count == before


class TestErrors:
    def test_an_error_shows_the_host_s_line(self, s):
        """Belay shows it too; Belay.NET and mpremote the device's `<stdin>`."""

        @s.task
        def fails():
            return undefined

        with pytest.raises(DeviceError) as failed:
            fails()
        assert __file__ in failed.value.traceback
        assert "return undefined" in failed.value.__notes__[0]

    def test_one_cleanup_that_fails_keeps_none_of_the_others(self, manager):
        """Belay.NET: cleanup never ran at all, and its error was swallowed."""
        session = manager.create_session("sim:")
        output = session.output()

        @session.teardown
        def first():
            print("first")

        @session.teardown
        def second():
            raise ValueError

        with pytest.raises(ExceptionGroup, match="1 of 2"):
            session.close()
        assert b"first" in b"".join(output)
