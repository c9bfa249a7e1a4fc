"""One for all: children that make no sense without each other. One crashes, and all are new."""

import klemheist
from klemheist import ChildRestarted, Strategy, Supervisor, child


class Half(klemheist.Actor):
    """Keeps one half of something that both must agree about."""

    def __init__(self, name):
        super().__init__()
        self.name = name
        self.agreed = 0

    def on_receive(self, message):
        self.agreed += message
        return self.agreed


halves = [child(Half, "left", id="left"), child(Half, "right", id="right")]
with (
    Supervisor.start(halves, strategy=Strategy.ONE_FOR_ALL) as tree,
    tree.events(ChildRestarted) as restarts,
):
    left, right = tree.handle("left"), tree.handle("right")
    assert left.ask(1, timeout=2.0) == right.ask(1, timeout=2.0) == 1

    left.tell("one more")  # cannot be added: left crashes, and right is taken down with it
    assert [restarts.get(timeout=2.0).id for _ in range(2)] == ["left", "right"]
    assert left.ask(1, timeout=2.0) == right.ask(1, timeout=2.0) == 1  # both begin anew
