"""Rest for one: each child needs those before it. What crashed and all after it are new."""

import klemheist
from klemheist import ChildRestarted, Strategy, Supervisor, child


class Stage(klemheist.Actor):
    """One stage of a pipeline; it finds the one before it by its name when it starts."""

    def __init__(self, name, source=None):
        super().__init__()
        self.name, self.source = name, source

    def on_start(self):
        klemheist.register(self.name, self.actor_ref)
        self.upstream = klemheist.whereis(self.source) if self.source else None

    def on_receive(self, message):
        value = message if self.upstream is None else self.upstream.ask(message, timeout=2.0)
        return value / 2


pipeline = [
    child(Stage, "reader", id="reader"),
    child(Stage, "filter", "reader", id="filter"),
    child(Stage, "writer", "filter", id="writer"),
]
with (
    Supervisor.start(pipeline, strategy=Strategy.REST_FOR_ONE) as tree,
    tree.events(ChildRestarted) as restarts,
):
    reader = tree.child("reader").ref
    tree.child("filter").ref.tell(None)  # the reader fails the filter's question: it crashes
    assert [restarts.get(timeout=2.0).id for _ in range(2)] == ["filter", "writer"]
    assert tree.child("reader").ref is reader
    assert tree.handle("writer").ask(8, timeout=2.0) == 1
