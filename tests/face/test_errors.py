from __future__ import annotations

import inspect
import re

import pytest

import klemheist
import klemheist.errors
from klemheist.errors import KlemheistError


def subclasses(cls):
    """Every error of the library below `cls`; tests may have more of their own."""
    for each in cls.__subclasses__():
        if each.__module__.startswith("klemheist."):
            yield each
            yield from subclasses(each)


ERRORS = sorted({KlemheistError, *subclasses(KlemheistError)}, key=lambda cls: cls.__name__)
NAMES = [*klemheist.errors.__all__, "ChildRestarting"]
"""The last one is not `klemheist`'s: that has an event of the name."""
DRAWN = {getattr(klemheist.errors, name) for name in NAMES}


def drawn_tree():
    """The picture in the docstring, as (name, name of the parent) pairs."""
    above = []
    for line in inspect.getdoc(klemheist.errors).splitlines():
        found = re.match(r"^([│├└─ ]*)([A-Z]\w+)(?: {2,}.*)?$", line)
        if found:
            depth = len(found[1]) // 4
            del above[depth:]
            yield found[2], above[-1] if above else None
            above.append(found[2])


def test_the_drawn_tree_is_the_real_one():
    real = {
        (cls.__name__, next((b.__name__ for b in cls.__mro__[1:] if b in DRAWN), None))
        for cls in DRAWN
    }
    assert set(drawn_tree()) == real


def test_every_drawn_error_is_public():
    for name in klemheist.errors.__all__:
        assert getattr(klemheist, name) is getattr(klemheist.errors, name)
    assert issubclass(klemheist.ChildRestarting, klemheist.TreeEvent)


def test_every_error_is_drawn():
    assert {each for each in ERRORS if ".cli." not in each.__module__} <= DRAWN


@pytest.mark.req("SES-103")
@pytest.mark.parametrize("cls", ERRORS, ids=lambda cls: cls.__name__)
def test_every_error_says_whether_it_is_recoverable_and_gives_one_line_of_advice(cls):
    assert isinstance(cls.is_recoverable, bool)
    assert cls.advice
    assert "\n" not in cls.advice
    assert cls.__doc__


def test_the_advice_is_right_for_options_too():
    """What cannot be sent says in its message what can be."""
    with pytest.raises(klemheist.ArgumentError) as refused:
        klemheist.SessionOptions(max_concurrent_sessions=0)
    assert "send only" not in refused.value.advice
    assert "give a number greater than 0" in str(refused.value)


def test_messages_are_one_line():
    from klemheist.errors import DeviceError, DeviceMemoryError, ResourceCleanupError

    traceback = "Traceback:\n  File\nOSError: 5"
    assert str(DeviceError("OSError", "5", traceback=traceback)) == "OSError: 5"
    assert "\n" not in str(DeviceMemoryError(free=12, traceback=traceback))
    assert "\n" not in str(ResourceCleanupError("2 failed", [OSError("a"), OSError("b")]))
