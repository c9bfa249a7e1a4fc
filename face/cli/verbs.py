"""`run`, `exec`, `eval`, `devices` and `info`."""

from __future__ import annotations

import sys
import tokenize
from argparse import Namespace

from klemheist import CodeSyntaxError, DeviceError, PortInfo, list_ports
from klemheist.transports.url import hide_password

from .stay import Stay


def run(stay: Stay, args: Namespace) -> int:
    """Run a file of the host; its name stands in the traceback."""
    try:
        stay.execute(_source(args.file), timeout=args.timeout)
    except CodeSyntaxError as error:
        error.filename = args.file
        raise
    except DeviceError as error:
        error.traceback = error.traceback.replace('File "<code>"', f'File "{args.file}"')
        raise
    return 0


def _source(name: str) -> str:
    """Return a file's text as Python reads it: by its coding line, else as UTF-8."""
    if name == "-":
        return sys.stdin.read()
    try:
        with tokenize.open(name) as file:
            return file.read()
    except (SyntaxError, UnicodeDecodeError) as error:
        raise CodeSyntaxError(f"{name}: {error}; save it as UTF-8") from error


def execute(stay: Stay, args: Namespace) -> int:
    """Run statements, printing what they print."""
    stay.execute(args.code, timeout=args.timeout)
    return 0


def evaluate(stay: Stay, args: Namespace) -> int:
    """Print what an expression prints, then its value as Python writes it."""
    try:
        compile(args.expression.strip(), "<expression>", "eval")
    except (SyntaxError, ValueError) as error:
        raise CodeSyntaxError(f"{args.expression!r} is no expression; use exec") from error
    print(repr(stay.execute(args.expression, timeout=args.timeout)))
    return 0


def devices(stay: Stay, args: Namespace) -> int:
    """List the names of klemheist.toml, the ports by their URLs, and boards without hardware."""
    del args
    rows = [(name, hide_password(url)) for name, url in stay.config.devices.items()]
    rows += [(each.url, _said(each)) for each in list_ports()]
    rows += [
        ("sim:", "the embedded board; sim:NAME keeps its files"),
        ("microbit:", "an emulated micro:bit"),
    ]
    width = max(len(name) for name, _ in rows) + 2
    for name, text in rows:
        print(f"{name:{width}}{text}".rstrip())
    return 0


def _said(port: PortInfo) -> str:
    """Say what a port is, and what it is called today where its URL does not."""
    return port.description + (f" at {port.device}" if port.url != port.device else "")


def info(stay: Stay, args: Namespace) -> int:
    """Show what a device says of itself."""
    del args
    session, found = stay.session, stay.capabilities
    rows = {
        "device": stay.place,
        "platform": found.platform,
        "firmware": found.firmware,
        "free memory": f"{found.free_memory} bytes",
        "longest statement": f"{found.longest_source} bytes",
        "raw paste": _yes(found.raw_paste),
        "threads": "real" if found.threads else "cooperative",
        "floats": "32 bits" if found.single_floats else "64 bits",
        "session": session.session_id,
    }
    for name, text in rows.items():
        print(f"{name + ':':19}{text}")
    return 0


def _yes(flag: object) -> str:
    return "yes" if flag else "no"
