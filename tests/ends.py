"""Ways in which tests end things: an actor by a crash, an object by forgetting it."""

from __future__ import annotations

import gc


def crash(ref):
    """End an actor by an error on its own turn."""
    ref.actor().post(_raise)
    ref.ended.get(timeout=5.0)


def _raise():
    raise RuntimeError("told to crash")


def dropped(use):
    """What `use` returns, after what it dropped is collected."""
    kept = use()
    gc.collect()
    return kept
