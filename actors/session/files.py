"""`session.files`: placeholder, being written."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .core import SessionCore


class Files:
    def __init__(self, core: SessionCore) -> None:
        self._core = core


class AsyncFiles:
    def __init__(self, core: SessionCore) -> None:
        self._core = core
