"""The manifest of a sync: one file on the device that says what was written there; pure.

It is there only while it is true: the first batch of a sync removes it, the last one writes it.
So a sync that was cut off leaves none, and the next one compares by hash what it finds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from .kit import checksum

NAME: Final = ".klemheist-manifest"
_TITLE: Final = "klemheist 1"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, as it was when it was written."""

    origin: str
    """The hash of the host's file, and how it was compiled, if it was."""
    hash: int
    """The checksum of the device's file."""
    size: int
    time: int
    """What the device said of its time."""


def render(entries: dict[str, Entry]) -> bytes:
    """Return the manifest's bytes: a line for each file, and a checksum of them all."""
    lines = [_TITLE]
    for path, entry in sorted(entries.items()):
        fields = [path, entry.origin, entry.hash, entry.size, entry.time]
        lines.append(json.dumps(fields, separators=(",", ":")))
    body = "\n".join(lines).encode()
    return body + b"\n%d" % checksum(body)


def parse(data: bytes) -> dict[str, Entry]:
    """Return what a manifest says; nothing where it is damaged, or of another version."""
    body, _, check = data.rpartition(b"\n")
    if not check.isdigit() or int(check) != checksum(body):
        return {}
    title, *lines = body.decode().split("\n")
    if title != _TITLE:
        return {}
    return {path: Entry(*fields) for path, *fields in map(json.loads, lines)}
