"""The supervision tree by itself: actors of your own, restarted as their specification says."""

import klemheist
from klemheist import Restart, Strategy, Supervisor, child


class Sampler(klemheist.Actor):
    def __init__(self, name):
        super().__init__()
        self.name = name
        self.samples = []

    def on_receive(self, message):
        self.samples.append(float(message))  # what is no number is a bug: it ends this actor …
        return len(self.samples)


class Uploader(klemheist.Actor):
    def on_receive(self, message):
        return f"sent {message}"


with Supervisor.start(
    [child(Sampler, "a"), child(Uploader, restart=Restart.TRANSIENT)],
    strategy=Strategy.REST_FOR_ONE,
    max_restarts=3,
    period=5.0,
) as tree:
    sampler = tree.child("Sampler").ref
    assert sampler.ask(20.5, timeout=2.0) == 1
    sampler.tell("not a number")
    sampler.ended.get(timeout=2.0)
    again = tree.handle("Sampler").wait_ready(2.0)  # … and its supervisor starts it anew
    assert again.ask(21.0, timeout=2.0) == 1
    print(tree.snapshot().render())
