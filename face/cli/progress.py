"""A progress bar for transfers that last: on a terminal only, on standard error."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PATIENCE: Final = 0.5
"""Seconds before a bar appears: shorter transfers are over before one could be read."""


class Bar:
    """Give it to a transfer as `on_progress`; without rich it is a percentage."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._began = time.monotonic()
        self._rich: tuple[Progress, TaskID] | None = None
        self._shown = False

    def __enter__(self) -> Self:
        return self

    def __call__(self, done: int, total: int) -> None:
        """Show how far it is."""
        if not sys.stderr.isatty() or time.monotonic() - self._began < PATIENCE:
            return
        if not self._shown:
            self._shown = True
            self._rich = _rich_bar(self._name)
        if self._rich is not None:
            progress, task = self._rich
            progress.update(task, completed=done, total=total)
        else:
            percent = 100 * done // max(total, 1)
            print(f"\r{self._name} {percent} %", end="", file=sys.stderr, flush=True)

    def __exit__(self, *_: object) -> None:
        if self._rich is not None:
            self._rich[0].stop()
        elif self._shown:
            print(file=sys.stderr)


def _rich_bar(name: str) -> tuple[Progress, TaskID] | None:
    try:
        from rich.console import Console  # noqa: PLC0415 -- an extra, and slow to import
        from rich.progress import (  # noqa: PLC0415 -- as above
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TransferSpeedColumn,
        )
    except ImportError:
        return None
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    progress = Progress(*columns, console=Console(stderr=True), transient=True)
    progress.start()
    return progress, progress.add_task(name)
