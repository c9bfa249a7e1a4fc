"""How `klemheist top` looks: a line for each service, device, session. Pure, but for `screen`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from klemheist.transports.identity import printable

HEAD: Final = (
    *("DEVICE", "STATE", "BOOT", "CALLS/S", "MEDIAN", "P99"),
    *("WAITING", "FAULTS", "RESTARTS", "OWED"),
)
_CLEAR: Final = "\x1b[H\x1b[2J"
"""Home, and an empty screen, on any terminal of the last forty years."""

Status = dict[str, Any]


def only(found: Iterable[Status], url: str) -> list[Status]:
    """Return what there is of one device: the services that have it, without their others."""
    cut = [
        {
            **status,
            "devices": [each for each in status.get("devices", ()) if each.get("url") == url],
        }
        for status in found
    ]
    return [status for status in cut if status["devices"]]


def lines(found: Sequence[Status]) -> list[str]:
    """Return the whole picture as text; nothing of it does anything to a terminal."""
    if not found:
        return ["no service shows its status"]
    return [line for status in found for line in _understood(status)]


def _understood(status: Status) -> list[str]:
    try:
        return list(_service(status))
    except (KeyError, TypeError, ValueError, AttributeError):
        return [printable(f"{status.get('pid')} speaks as version {status.get('version')} does")]


def _service(status: Status) -> Iterator[str]:
    if "error" in status:
        yield f"{status['pid']} {printable(status['error'])}"
        return
    sessions = status["sessions"]
    yield printable(
        f"{status['pid']} {status['program']} {status['state'].lower()}, "
        f"{sessions['active']} of {sessions['limit']} sessions, {sessions['total']} so far, "
        f"{_many(status['restarts'], 'restart')}"
    )
    rows = [HEAD, *map(_device, status["devices"])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    texts = [_aligned(row, widths) for row in rows]
    if status["devices"]:
        yield texts[0]
    for device, text in zip(status["devices"], texts[1:], strict=True):
        yield text
        yield from map(_session, device["sessions"])


def _device(device: Status) -> tuple[str, ...]:
    return (
        printable(device["url"]),
        device["state"],
        str(device["generation"]),
        f"{device['rate']:.1f}",
        _took(device["median"]),
        _took(device["p99"]),
        str(device["waiting"]),
        str(device["faults"]),
        str(device["restarts"]),
        str(device["owed"]),
    )


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    """Words to the left, numbers to the right."""
    words = [f"{each:{width}}" for each, width in zip(row[:2], widths, strict=False)]
    numbers = [f"{each:>{width}}" for each, width in zip(row[2:], widths[2:], strict=True)]
    return "  " + "  ".join([*words, *numbers])


def _session(session: Status) -> str:
    holds = ", ".join(_many(count, kind) for kind, count in session["holds"].items())
    doing = "busy" if session["busy"] else f"idle {session['idle']:.0f} s"
    return printable(f"{session['id']} {session['status']}, {doing}: {holds or 'nothing'}").join(
        ("    ", "")
    )


def _many(count: int, word: str) -> str:
    return f"{count} {word}" + ("" if count == 1 else "s")


def _took(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds * 1e6:.0f} µs"


@contextmanager
def screen() -> Iterator[Callable[[Sequence[Status]], None]]:
    """Give what paints a terminal anew each time: with rich where it is installed."""
    try:
        from rich.live import Live  # noqa: PLC0415 -- an extra, and slow to import
        from rich.text import Text  # noqa: PLC0415 -- as above
    except ImportError:
        yield lambda found: print(_CLEAR + "\n".join(lines(found)), file=sys.stdout, flush=True)
        return
    with Live(auto_refresh=False, vertical_overflow="crop") as live:

        def paint(found: Sequence[Status]) -> None:
            text = Text("\n").join(Text(line, style=_style(line)) for line in lines(found))
            live.update(text, refresh=True)

        yield paint


def _style(line: str) -> str:
    if line.startswith("    "):
        return "dim"
    return "bold" if not line.startswith("  ") or line.startswith(f"  {HEAD[0]}") else ""
