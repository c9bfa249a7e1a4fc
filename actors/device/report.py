"""What of a device's life stands in the log: a line for each change that somebody may ask about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from loguru import Logger

LEVELS: Final = {
    "up": "INFO",
    "down": "WARNING",
    "failed": "ERROR",
    "reset": "WARNING",
    "recovering": "WARNING",
    "recovered": "INFO",
    "interrupted": "INFO",
    "closed": "DEBUG",
}
"""By the kind of event; what is not here is too much, or is told elsewhere."""
REPEATED: Final = "DEBUG"
"""A device that is away is down again after each attempt: that is news once."""


class Reporter:
    """Writes a device's log.

    Args:
        log: bound to the device.
    """

    __slots__ = ("_last", "_log")

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._last = ""

    def tell(self, kind: str, text: str) -> None:
        """Log an event, if its kind is worth a line."""
        level = LEVELS.get(kind)
        if level is None:
            return
        level = REPEATED if kind == self._last else level
        self._last = kind
        self._log.log(level, "device {}{}", kind, f": {text}" if text else "")
