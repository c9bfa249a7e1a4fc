"""A dynamic supervisor: children that come and go, each with its own backoff and its own budget."""

import klemheist
from klemheist import Backoff, DynamicSupervisor, Restart, child


class Connection(klemheist.Actor):
    def __init__(self, peer):
        super().__init__()
        self.peer = peer

    def on_receive(self, message):
        if message == "bye":
            raise klemheist.Exit
        if message == "lost":
            raise ConnectionError(self.peer)
        return f"{self.peer}: {message}"


patience = Backoff(min=0.05, max=10.0, factor=2.0, jitter=0.2, max_restarts=5)
with DynamicSupervisor.start(max_children=100) as connections:
    for peer in ("anna", "ben"):
        connections.start_child(
            child(Connection, peer, id=peer, restart=Restart.TRANSIENT, backoff=patience)
        )
    lost = connections.child("anna").ref
    lost.tell("lost")
    lost.ended.get(timeout=2.0)
    assert connections.handle("anna").ask("hello", timeout=2.0) == "anna: hello"

    connections.handle("ben").tell("bye")  # done: forgotten, and its id is free again
    connections.terminate_child("anna")
    print(connections.statistics())
