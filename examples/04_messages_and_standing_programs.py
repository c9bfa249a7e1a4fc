"""Sessions are actors: talk to one by messages. And leave a program running with nobody waiting."""

import klemheist
from klemheist import Call, Execute, Restart


class Counter(klemheist.Program):
    @klemheist.setup
    def init(start):
        count = [start]

    @klemheist.thread(restart=True)
    def run():
        while True:
            count[0] += 1
            yield 0.01


with klemheist.SessionManager() as manager:
    with manager.session("sim:") as s:

        @s.task
        def add(a, b):
            return a + b

        ref = s.ref  # the message-passing API: sessions and devices are actors
        ref.tell(Execute("x = 1"))
        assert ref.ask(Call("add", (2, 3)), timeout=2.0) == 5
        assert ref.ask(Execute("x"), timeout=2.0) == 1

    # runs until stopped, restarted on fault
    standing = manager.deploy("sim:", Counter(start=5), restart=Restart.PERMANENT)
    assert standing.status == "active"
    print(standing)
    standing.stop()
    print(standing)
