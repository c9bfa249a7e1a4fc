"""What a sync leaves when it is cut off: its unfinished files, held until they have their names."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from klemheist.transports.repl.board import Board
from klemheist.transports.repl.lines import Procedure

from . import files_disk as disks
from .ledger import EntryKind
from .resources import CancelToken, OwnResource, Resource

if TYPE_CHECKING:
    from .core import SessionCore

_UNDO: Final = """\
import os
def y(d):
 for n in os.listdir(d or'/'):
  n=d+'/'+n
  try:
   if os.stat(n)[0]&0xf000==0x4000:y(n)
   elif n.endswith(%r):os.remove(n)
  except OSError:pass
try:y(%r)
except OSError:pass
del y"""
"""Needs nothing but `os`: it may be owed, and done in another boot."""


def hold_parts(core: SessionCore, root: str, ending: str) -> Resource:
    """Hold the files below `root` whose names end with `ending`, which is one sync's own."""
    code = _UNDO % (ending, root)

    def remove(cancel: CancelToken) -> None:
        removing = core.submit(partial(_executed, code), label="remove parts")
        cancel.on_cancel(lambda _: removing.cancel("its time was up"))
        removing.get()

    name = f"sync {root or '/'}{ending}"
    resource = OwnResource("transfer", remove, resource_id=name, persistent=True, undo=code)
    core.track(EntryKind.RESOURCE, name, resource)
    return resource


def _executed(code: str, board: Board) -> Procedure[None]:
    yield from disks.execute(board, code)
