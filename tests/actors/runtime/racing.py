"""Asks that race with an end: each is answered, one way or the other."""

from __future__ import annotations

import threading

from klemheist.actors.runtime import ActorDead


def race(ref, end, *, asks=50, threads=1):
    """Fire asks from other threads while `end()` runs; fail where one stays without an answer."""
    futures, go = [], threading.Barrier(threads + 1)

    def fire():
        go.wait()
        futures.extend(ref.ask(n, block=False) for n in range(asks))

    firing = [threading.Thread(target=fire) for _ in range(threads)]
    for thread in firing:
        thread.start()
    go.wait()
    end()
    for thread in firing:
        thread.join()
    assert len(futures) == asks * threads
    for future in futures:
        try:
            future.get(timeout=5)
        except ActorDead:
            continue
