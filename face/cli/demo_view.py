"""How the demo is told: plain lines, a table at the end, and the tree where it is wanted."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from klemheist import SessionManager


class Story:
    """Tells what happens as it happens, and keeps what it took."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._began = time.perf_counter()
        self.took: dict[str, float] = {}
        """Seconds by what was done."""
        self.proof: dict[str, Any] = {}
        self.told: list[str] = []

    def tell(self, text: str) -> None:
        """Tell one line, with the time since the beginning."""
        self.told.append(text)
        if not self._quiet:
            print(f"{time.perf_counter() - self._began:7.3f} s  {text}", flush=True)

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Keep how long something took."""
        began = time.perf_counter()
        yield
        self.took[what] = time.perf_counter() - began

    def as_json(self, device: str) -> str:
        """Return all of it as data."""
        data = {"device": device, "clean": self.clean, "proof": self.proof}
        return json.dumps({**data, "seconds": self.took, "story": self.told}, indent=2)

    @property
    def clean(self) -> bool:
        """Whether the proof found nothing left."""
        return not any(self.proof.values())

    def table(self) -> None:
        """Print what it took; with rich where it is installed."""
        rows = [(what, _seconds(seconds)) for what, seconds in self.took.items()]
        try:
            from rich.console import Console  # noqa: PLC0415 -- an extra, and slow to import
            from rich.table import Table  # noqa: PLC0415 -- as above
        except ImportError:
            width = max(len(what) for what, _ in rows) + 2
            print("\n".join(f"{what:{width}}{time:>10}" for what, time in rows))
            return
        table = Table("what", "took")
        table.columns[1].justify = "right"
        for row in rows:
            table.add_row(*row)
        Console().print(table)


@contextmanager
def tree_shown(manager: SessionManager, story: Story) -> Iterator[None]:
    """Draw the supervision tree again each time that an event has changed it."""
    events = manager.events()

    def watch() -> None:
        shown = ""
        for _ in events:
            tree = manager.snapshot()
            drawn = "" if tree is None else tree.render()
            if drawn != shown:
                shown = drawn
                story.tell("the tree is now\n" + drawn)

    watcher = threading.Thread(target=watch, name="klemheist-demo-tree", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        events.close()
        watcher.join()


def _seconds(seconds: float) -> str:
    if seconds >= 1.0:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.1f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f} µs"
