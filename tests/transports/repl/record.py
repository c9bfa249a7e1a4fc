"""Records what real boards say: `python tests/transports/repl/record.py` writes recordings/*.json.

A recording is a list of acts: what the machine was asked to do, and all that the board said to it,
in latin-1, with the kinds of events that this was understood as. `test_recordings.py` replays it.
"""

from __future__ import annotations

import json
import queue
from pathlib import Path

from klemheist.transports.registry import create_link
from klemheist.transports.repl.machine import Kind, ReplMachine
from klemheist.transports.repl.marks import INTERRUPT

FOLDER = Path(__file__).with_name("recordings")
ENDS = (Kind.READY, Kind.ENDED, Kind.PASTE)
COMMON = [
    ("enter", ""),
    ("execute", "print('hello')"),
    ("execute", "1+1"),
    ("execute", "x=1;1/0"),
    ("execute", "def f(:"),
    ("execute", "print('a\\x04b>c')"),
    ("execute", "print('OK\\x1eR\\x01')"),
    ("execute", "print('last')"),
]
BOARDS = {
    "sim:": [
        *COMMON,
        ("execute", "import sys;n=sys.stdout.buffer.write(b'\\xff\\xfe\\xc3')"),
        ("execute", "print('\\xe4\\u20ac')"),
        ("interrupt", ""),
        ("enter", ""),
        ("soft_reset", ""),
        ("execute", "print(x)"),
    ],
    "microbit:": [
        *COMMON,
        ("execute", "from microbit import uart\nn=uart.write(b'\\xff\\xfe\\xc3')"),
        ("ask_paste", ""),
        ("execute", "raise SystemExit"),
        ("execute", "print(x)"),
        ("execute", "while True:pass"),
        ("interrupt", ""),
        ("enter", ""),
        ("soft_reset", ""),
        ("execute", "print(x)"),
    ],
}


class Recorder:
    """One board, act by act."""

    def __init__(self, url):
        self._arrived = queue.SimpleQueue()
        self.received = self._arrived.put
        self.lost = print
        self._machine = ReplMachine()
        self._link = create_link(url)
        self._link.open(self)

    def act(self, name, source):
        act = getattr(self._machine, name, None)
        self._link.write(act(*filter(None, [source.encode()])) if act else INTERRUPT)
        said, kinds = b"", []
        try:
            while not set(kinds) & set(ENDS):
                piece = self._arrived.get(timeout=1.0)
                said += piece
                for event in self._machine.feed(piece):
                    kinds.append(event.kind)
                    if event.kind is Kind.WRITE:
                        self._link.write(event.data)
        except queue.Empty:
            pass  # it runs on, or had nothing to say
        kept = [kind.name for kind in kinds if kind not in (Kind.TEXT, Kind.ERROR_TEXT)]
        return {"act": name, "source": source, "said": said.decode("latin-1"), "kinds": kept}

    def close(self):
        self._link.close()


def main():
    for url, acts in BOARDS.items():
        recorder = Recorder(url)
        recording = [recorder.act(name, source) for name, source in acts]
        recorder.close()
        path = FOLDER / f"{url.rstrip(':')}.json"
        path.write_text(json.dumps(recording, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
