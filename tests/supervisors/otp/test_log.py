"""What is told of a tree as text: cases 89 and 90 of OTP's supervisor suite."""

from __future__ import annotations

from loguru import logger

from klemheist.actors.runtime import ExitReason
from klemheist.supervisors.core.describe import describe
from klemheist.supervisors.core.events import ChildExited, ChildStarted

TERM = list(range(1, 16))
WHOLE = str(TERM)
SHORT = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ...]"


def crash(otp):
    return ChildExited("my_supervisor", "any_id", TERM, ref=otp.probe.ref)


def progress(otp):
    return ChildStarted("my_supervisor", "any_id", 0.5, ref=otp.probe.ref)


def test_format_log_1(otp, kind):
    """The fields of a log record (`extra`), and `describe` with a limit of depth."""
    text = describe(crash(otp), single_line=False)
    assert text == (
        "    supervisor: my_supervisor\n"
        "    event: child exited\n"
        f"    reason: {WHOLE}\n"
        f"    child: id='any_id', ref={otp.probe.ref}\n"
    )
    assert describe(progress(otp), single_line=False).splitlines()[1:3] == [
        "    event: child started",
        "    took: 0.5",
    ]
    limited = describe(crash(otp), single_line=False, depth=10)
    assert limited == text.replace(WHOLE, SHORT)

    records = []
    logger.enable("klemheist")
    sink = logger.add(lambda line: records.append(line.record), level="ERROR")
    try:
        sup = otp.start([otp.worker(kind, "any_id")])
        otp.end(otp.pids(sup)["any_id"], "abnormal", sup=sup)
    finally:
        logger.remove(sink)
        logger.disable("klemheist")
    [extra] = [record["extra"] for record in records if "child" in record["extra"]]
    assert (extra["supervisor"], extra["child"]) == ("root", "any_id")
    assert "Died" in extra["reason"]


def test_format_log_2(otp):
    """`single_line`, `depth`, `chars_limit`; an event is about one child: no `nb_children`."""
    whole = describe(crash(otp))
    assert whole == (
        f"Supervisor: my_supervisor. Event: child exited. Reason: {WHOLE}. "
        f"Child: id='any_id', ref={otp.probe.ref}."
    )
    assert "\n" not in describe(progress(otp))
    assert describe(crash(otp), depth=10) == whole.replace(WHOLE, SHORT)
    for single_line in (True, False):
        text = describe(crash(otp), single_line=single_line)
        limited = describe(crash(otp), single_line=single_line, chars_limit=110)
        assert limited.strip().lower().startswith("supervisor: my_supervisor")
        assert len(limited) < len(text)
        short = describe(progress(otp), single_line=single_line, chars_limit=80)
        assert len(short) < len(describe(progress(otp), single_line=single_line))
    reason = ExitReason.shutdown("done")
    assert "Reason: {shutdown,'done'}." in describe(ChildExited("s", "c", reason))
