"""What is known of a device, and what is told of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_IMPLEMENTATION: Final = re.compile(r"name='(\w+)'")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a device can do, as its firmware and its agent say (DESIGN 3.8, SES-004)."""

    platform: str
    firmware: str
    raw_paste: bool
    threads: bool
    single_floats: bool
    free_memory: int
    """Bytes free after the agent was installed; -1 where the device does not say."""
    longest_source: int
    """Bytes of one top-level statement that the device can take."""

    @property
    def implementation(self) -> str:
        """`sys.implementation.name`: `micropython`, `circuitpython`; empty where it is unknown."""
        found = _IMPLEMENTATION.search(self.firmware)
        return "" if found is None else found[1]


@dataclass(frozen=True, slots=True)
class DeviceEvent:
    """Something that happened to a device; `kind` is stable, `text` is for people."""

    url: str
    kind: str
    text: str = ""
    generation: int = 0
    same_boot: bool = False
    data: bytes = b""


@dataclass(slots=True)
class Counters:
    """What a device has done since the service started."""

    calls: int = 0
    faults: int = 0
    generations: int = 0
    reopened: int = 0
    output_bytes: int = 0
