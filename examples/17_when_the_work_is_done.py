"""Significant children: a tree that ends by itself when its work is done."""

import klemheist
from klemheist import AutoShutdown, ExitReason, Restart, Supervisor, child


class Download(klemheist.Actor):
    def __init__(self, parts):
        super().__init__()
        self.parts = parts

    def on_receive(self, message):
        self.parts -= 1
        if not self.parts:
            raise klemheist.Exit  # normal: it is done


class Progress(klemheist.Actor):
    def on_receive(self, message):
        return "going on"


job = Supervisor.start(
    [
        child(Progress),  # is there for the download, and ends with it
        child(Download, 3, restart=Restart.TRANSIENT, significant=True),
    ],
    auto_shutdown=AutoShutdown.ANY_SIGNIFICANT,
)
download = job.handle("Download").ref
for _ in range(3):
    download.tell("part")
assert job.ended.get(timeout=2.0) == ExitReason.SHUTDOWN
