"""`klemheist repl`: lines from the terminal, run in a session's namespace on the device.

It is a loop over the session and no pass-through to the device's own prompt: names stay in the
session, Ctrl-C interrupts what runs, and all of it is cleaned up when Ctrl-] leaves.
"""

from __future__ import annotations

import codeop
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from klemheist import DeviceError, KlemheistError, LinkError

from .stay import FOREVER, Stay, show

LEAVE: Final = "\x1d"
"""What Ctrl-] types where no line editor takes it."""
SHOWN: Final = "(lambda _:None if _ is None else repr(_))({}\n)"
"""An expression's value as the device writes it, also where no literal says it."""


def run(stay: Stay, args: Namespace) -> int:
    """Read, run, print, until Ctrl-] or the end of the input."""
    del args
    session = stay.session
    if sys.stdin.isatty():
        _bind()
        platform = stay.capabilities.platform
        print(f"{platform} on {stay.place}, session {session.session_id}; Ctrl-] leaves")
    boot = session.generation
    for source in entries():
        _one(stay, source)
        if session.generation != boot:
            boot = session.generation
            print("the device booted anew: names from before are gone")
    return 0


def entries() -> Iterator[str]:
    """Yield what was typed, each a whole statement or expression."""
    lines: list[str] = []
    while True:
        try:
            line = input("... " if lines else ">>> ")
        except KeyboardInterrupt:
            print("\nKeyboardInterrupt")
            lines.clear()
            continue
        except EOFError:
            print()
            return
        if LEAVE in line:
            return
        lines.append(line)
        if is_whole("\n".join(lines)):
            yield "\n".join(lines)
            lines.clear()


def is_whole(source: str) -> bool:
    """Whether nothing is missing; a syntax error is whole, so that it is told."""
    try:
        return codeop.compile_command(source) is not None
    except (SyntaxError, ValueError, OverflowError):
        return True


def _one(stay: Stay, source: str) -> None:
    if not source.strip():
        return
    try:
        _execute(stay, source)
    except KeyboardInterrupt:
        print("KeyboardInterrupt")
    except DeviceError as error:
        print(_as_typed(error.traceback) or error)
    except LinkError as error:
        print(f"{type(error).__name__}: {error}")
    except KlemheistError as error:
        print(error)


def _execute(stay: Stay, source: str) -> None:
    try:
        compile(source, "<input>", "eval")
    except (SyntaxError, ValueError):
        stay.session.execute(source, timeout=FOREVER, on_output=show)
        return
    text = stay.session.execute(SHOWN.format(source), timeout=FOREVER, on_output=show)
    if text is not None:
        print(text)


def _as_typed(traceback: str) -> str:
    """A traceback without what was put around an expression."""
    return traceback.replace(SHOWN.partition("{")[0], "").replace('"<code>"', '"<stdin>"')


def _bind() -> None:
    """Make Ctrl-] clear the line and end the input, where there is a line editor."""
    with suppress(ImportError):
        import readline  # noqa: PLC0415 -- it changes `input` by being imported

        readline.parse_and_bind(r'"\C-]": "\C-a\C-k\C-d"')
