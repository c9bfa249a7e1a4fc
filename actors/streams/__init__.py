"""Streams: what flows to one consumer, bounded, from whoever publishes it (DESIGN 8.23)."""

from klemheist.actors.buffer import BufferStatistics, Kind, Overflow, Put

from .errors import StreamClosed, StreamFull, WouldBlock
from .publisher import Publisher, Subscription
from .stream import Stream, Writable

__all__ = [
    "BufferStatistics",
    "Kind",
    "Overflow",
    "Publisher",
    "Put",
    "Stream",
    "StreamClosed",
    "StreamFull",
    "Subscription",
    "WouldBlock",
    "Writable",
]
