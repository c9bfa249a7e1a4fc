"""What a manager says of itself at one moment, as plain data: devices, sessions, what they hold."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from klemheist.actors.runtime.clock import SYSTEM_CLOCK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from klemheist.actors.device.port import Port
    from klemheist.actors.session.core import SessionCore
    from klemheist.supervisors.tree.snapshot import Node, Tree

    from .tree import ManagerTree

MOST_SESSIONS: Final = 1_000
"""Sessions that are told one by one; all are counted."""
MOST_HELD: Final = 20
"""Things of one session that are told by name; all are counted."""


def status_of(core: ManagerTree) -> dict[str, Any]:
    """Return a snapshot that JSON can say; nobody is stopped for it.

    Its keys: `pid`, `program`, `version`, `time` (seconds since the epoch), `state`, `sessions`
    (`active`, `total`, `limit`), `restarts` of the whole tree, and `devices`, a list of objects.
    """
    sessions = core.sessions.all()
    tree = core.snapshot()
    stats = core.sessions.stats()
    return {
        "pid": os.getpid(),
        "program": sys.argv[0] or "python",
        "version": version("klemheist"),
        "time": time.time(),
        "state": str(core.state),
        "sessions": {
            "active": stats.active_session_count,
            "total": stats.total_session_count,
            "limit": stats.max_session_count,
        },
        "restarts": _restarts(tree),
        "devices": [_device(port, sessions[:MOST_SESSIONS], tree) for port in core.ports()],
    }


def _device(port: Port, sessions: Sequence[SessionCore], tree: Tree | None) -> dict[str, Any]:
    counters, figures = port.counters, port.meter.figures()
    node = next((n for n in _nodes(tree, "devices") if n.id == port.url), None)
    return {
        "url": port.url,
        "state": port.state.value,
        "generation": port.generation,
        "calls": counters.calls,
        "rate": figures.rate,
        "median": figures.median,
        "p99": figures.p99,
        "waiting": port.waiting,
        "faults": counters.faults,
        "reopened": counters.reopened,
        "owed": len(port.debts),
        "restarts": 0 if node is None else node.restarts + _restarts(node.tree),
        "sessions": [_session(core) for core in sessions if core.port is port],
    }


def _session(core: SessionCore) -> dict[str, Any]:
    entries = core.ledger.entries()
    return {
        "id": core.session_id,
        "status": core.status.value,
        "epoch": core.epoch,
        "busy": core.is_busy,
        "idle": max(0.0, SYSTEM_CLOCK.monotonic() - core.last_used),
        "holds": dict(Counter(entry.kind.value for entry in entries)),
        "held": [f"{entry.kind} {entry.key}" for entry in entries[:MOST_HELD]],
    }


def _nodes(tree: Tree | None, branch: str) -> tuple[Node, ...]:
    """Return the children of one of the root's supervisors."""
    for node in () if tree is None else tree.children:
        if node.id == branch and node.tree is not None:
            return node.tree.children
    return ()


def _restarts(tree: Tree | None) -> int:
    return 0 if tree is None else sum(node.restarts for node in tree.walk())
