"""`deploy`: a program from a file, kept running on a device."""

from __future__ import annotations

import ast
import importlib.util
import sys
import traceback
from argparse import Namespace
from pathlib import Path
from typing import Any, Final

from klemheist import ArgumentError, AskTimeout, DeviceEvent, KlemheistError, Program

from .stay import Stay, tell_fetch

LOOK_EVERY: Final = 0.5
"""Seconds between two looks at the status where no event came."""
TOLD: Final = frozenset({"thread died", "thread failed", "failed"})
"""Events of a device that its status does not show."""


class BrokenFileError(KlemheistError):
    """A file raised while it was read; `traceback` has the user's lines only."""

    def __init__(self, path: str | None, error: Exception) -> None:
        super().__init__(f"{path} cannot be imported: {error!r}; correct it")
        step = error.__traceback__
        while step is not None and step.tb_frame.f_code.co_filename != path:
            step = step.tb_next
        self.traceback = "".join(traceback.format_exception(error.with_traceback(step))).rstrip()


def deploy(stay: Stay, args: Namespace) -> int:
    """Start it, tell of each change of its status, and stop it at Ctrl-C."""
    program = chosen(Path(args.file), args.program)(**dict(map(setting, args.set)))
    events = stay.manager.events()
    tell_fetch(stay.url)
    standing = stay.manager.deploy(stay.url, program)
    shown = ""
    try:
        while True:
            now = f"{standing.status} (started {standing.starts}x)"
            if now != shown:
                shown = now
                print(f"{program!r} on {stay.place}: {now}", flush=True)
            try:
                event = events.get(timeout=LOOK_EVERY)
            except AskTimeout:
                continue
            if isinstance(event, DeviceEvent) and event.kind in TOLD:
                print(f"{event.kind}: {event.text}", flush=True)
    finally:
        standing.stop()
        print(f"{program!r} on {stay.place}: {standing.status}", flush=True)


def chosen(path: Path, name: str | None) -> type[Program]:
    """Return the program that a file defines.

    Raises:
        ArgumentError: it defines none, or several and `name` is none of them.
    """
    found = {
        each.__name__: each
        for each in vars(_module(path)).values()
        if isinstance(each, type) and issubclass(each, Program) and each.__module__ == _named(path)
    }
    if name is None and len(found) == 1:
        return next(iter(found.values()))
    if name in found:
        return found[name]
    names = ", ".join(found) or "no klemheist.Program"
    raise ArgumentError(f"{path} defines {names}; give one with --program NAME")


def setting(text: str) -> tuple[str, Any]:
    """Return name and value of `NAME=VALUE`; what is no literal is a string."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise ArgumentError(f"--set {text}: write it as NAME=VALUE, such as pin=25")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def _module(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(_named(path), path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ArgumentError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # `inspect` looks there for the source
    try:
        spec.loader.exec_module(module)
    except KlemheistError:
        raise
    except Exception as error:
        raise BrokenFileError(spec.origin, error) from error
    return module


def _named(path: Path) -> str:
    return f"_klemheist_{path.stem}"
