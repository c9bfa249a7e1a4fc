"""`klemheist top`: what the services of this user do with their devices, again and again."""

from __future__ import annotations

import json
import sys
import threading
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, Final

from klemheist.supervisors.manager.status_socket import VARIABLE, statuses
from klemheist.transports import parse_url

from . import top_view
from .stay import Stay

NONE: Final = (
    f"klemheist: no service shows its status; start one with {VARIABLE}=1, "
    "or make its manager with status=True"
)
LEAST_SECONDS: Final = 0.1

Status = dict[str, Any]


def seconds(text: str) -> float:
    """Read `--interval` and `--timeout`."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not LEAST_SECONDS <= value <= threading.TIMEOUT_MAX:
        raise ArgumentTypeError(f"{text!r}: give {LEAST_SECONDS} seconds or more")
    return value


def run(stay: Stay, args: Namespace) -> int:
    """Show what there is, once or until Ctrl-C."""
    url = None if args.device is None else parse_url(stay.config.url(args.device)).key
    found = look(args.pid, url)
    if not found:
        print(NONE, file=sys.stderr)
        return 1
    paint: Callable[[list[Status]], None] = _as_json if args.json else _as_text
    if args.once:
        paint(found)
        return 0
    live = sys.stdout.isatty() and not args.json
    try:
        with top_view.screen() if live else nullcontext(paint) as paint:
            while True:
                paint(found)
                threading.Event().wait(args.interval)
                found = look(args.pid, url)
    except KeyboardInterrupt:
        return 0


def look(pid: int | None, url: str | None) -> list[Status]:
    """Ask the services; with a URL, for that device alone."""
    found = statuses(pid)
    return found if url is None else top_view.only(found, url)


def _as_json(found: Sequence[Status]) -> None:
    print(json.dumps(found), flush=True)


def _as_text(found: Sequence[Status]) -> None:
    print("\n".join(top_view.lines(found)), flush=True)
