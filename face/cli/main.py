"""`klemheist …`: from arguments to an exit code.

Exit codes are mpremote's: 0, 1 for an error of the device or of the way to it, 2 for wrong usage,
and 130 after Ctrl-C. An error is one line; a traceback of the user's code is shown as it is.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

from klemheist import DeviceError, DeviceFileError, KlemheistError, UnknownScheme, config

from .parser import UsageError, parse
from .programs import BrokenFileError
from .stay import Stay

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 128 + signal.SIGINT
_LONGER: Final = f"--timeout, or call_timeout in {config.FILE}"
"""What the command line calls the argument that errors of the library name."""
PIPE_CLOSED: Final = 128 + signal.SIGPIPE


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code.

    Args:
        argv: the arguments; those of the process where they are not given.
    """
    try:
        commands = parse(sys.argv[1:] if argv is None else argv)
    except UsageError as error:
        return error.code
    if isinstance(sys.stdout, io.TextIOWrapper):  # what its encoding cannot say is no error
        sys.stdout.reconfigure(errors="backslashreplace")
    debug = any(each.debug for each in commands)
    try:
        with _terminable():
            return _run(commands)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _forget_output()
        return PIPE_CLOSED
    except (KlemheistError, OSError, ImportError) as error:
        if debug:
            raise
        return _tell(error)


def _run(commands: list[Namespace]) -> int:
    try:
        found = config.load(Path.cwd())
    except KlemheistError as error:
        _say(str(error))
        return USAGE
    with Stay(found, shown=any(each.stays for each in commands)) as stay:
        for command in commands:
            code: int = command.verb(stay.at(command.device), command)
            if code:
                return code
        stay.tell_files_go()
    return OK


def _tell(error: BaseException) -> int:
    if isinstance(error, UsageError):
        _say(str(error))
        return error.code
    if isinstance(error, DeviceError | BrokenFileError) and error.traceback:
        print(error.traceback, file=sys.stderr)
        return FAILED
    if isinstance(error, DeviceFileError):
        _say(f":{error.message}")
        return FAILED
    if isinstance(error, OSError) and error.filename:
        _say(f"{error.filename}: {error.strerror}; check the path")
        return FAILED
    names = _names() if isinstance(error, UnknownScheme) else ""
    _say(f"{str(error).replace('timeout=', _LONGER)}{names}")
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            _say(f"  {each}")
    return FAILED


def _names() -> str:
    """Return the names that a device may be given by, to end a message with."""
    names = ", ".join(config.load(Path.cwd()).devices)
    return f", or a name from {config.FILE}" + (f": {names}" if names else "")


def _say(text: str) -> None:
    print(f"klemheist: {text}", file=sys.stderr)


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end sessions as Ctrl-C does: a device is to be left clean."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(number: int, frame: FrameType | None) -> None:
    del frame
    raise SystemExit(128 + number)


def _forget_output() -> None:
    """Keep the interpreter from complaining, at its exit, about a reader that went away."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
