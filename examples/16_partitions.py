"""Partitions: the same actor several times over, so that nobody has to queue behind one."""

import klemheist
from klemheist import PartitionSupervisor, child


class Counter(klemheist.Actor):
    def __init__(self, partition):
        super().__init__()
        self.partition = partition
        self.counts = {}

    def on_receive(self, name):
        self.counts[name] = self.counts.get(name, 0) + 1
        return self.counts[name]


def numbered(args, partition):
    return (partition,)


with PartitionSupervisor.start(
    child(Counter), name="counters", partitions=4, with_args=numbered
) as counters:
    for _ in range(3):
        seen = counters.route("user-17").ask("user-17", timeout=2.0)  # always the same of the four
    assert seen == 3
    counters.resize(2)  # less to do: two are stopped, and two have all the keys
    assert counters.partition("user-17") in (0, 1)
