"""What of a device's life stands in the log; each record carries the device (DESIGN 8.25)."""

from __future__ import annotations

import pytest
from loguru import logger

from klemheist.actors.device.report import LEVELS, Reporter


@pytest.fixture
def log():
    lines = []
    logger.enable("klemheist")
    sink = logger.add(lambda line: lines.append(line.record), level="DEBUG")
    yield lines
    logger.remove(sink)
    logger.disable("klemheist")


def told(log):
    return [(each["level"].name, each["message"]) for each in log]


def test_a_device_that_goes_and_comes_is_told_once_each_with_its_url(log, make_rig, board):
    rig = make_rig(board.url).up()
    board.refuse(True)
    board.drop()
    for number in (1, 2, 3):
        rig.wait_for("down", count=number)
    board.refuse(False)
    rig.run("1")
    rig.close()
    levels = [level for level, text in told(log) if text.startswith("device ")]
    assert levels[:4] == ["INFO", "WARNING", "DEBUG", "DEBUG"]
    assert levels[-2:] == ["INFO", "DEBUG"]
    assert told(log)[-1] == ("DEBUG", "device closed")
    assert {each["extra"].get("device") for each in log} == {board.url}


def test_owed_cleanup_that_fails_names_its_device(log, make_rig, board):
    rig = make_rig(board.url).up()
    board.refuse(True)
    board.drop()
    rig.wait_for("down")
    rig.port.debts.add_code("led", "led.off()", boot=None)
    board.refuse(False)
    rig.run("1")
    records = [each for each in log if "owed cleanup failed" in each["message"]]
    assert "NameError" in records[0]["message"]
    assert records[0]["extra"]["device"] == board.url


def test_a_listener_that_fails_is_told_with_the_device(log, make_rig):
    rig = make_rig("sim:").up()

    def fails(event):
        raise RuntimeError("forged")

    rig.port.listen(fails)
    rig.port.emit("output", data=b"x")
    assert log[-1]["message"] == "a listener of sim: failed"
    assert log[-1]["extra"] == {"device": "sim:"}


@pytest.mark.parametrize("kind", LEVELS)
def test_each_kind_has_its_level_and_braces_are_only_text(log, kind):
    reporter = Reporter(logger.patch(lambda record: record.update(name="klemheist")))
    reporter.tell(kind, "{nobody} {0}")
    assert told(log) == [(LEVELS[kind], f"device {kind}: {{nobody}} {{0}}")]


def test_output_is_not_for_the_log(log):
    Reporter(logger).tell("output", "x")
    assert log == []
