"""The root of every Klemheist error, and what can go wrong with a link.

The whole tree stands in `klemheist.errors`. A link error is also the builtin error that host code
knows (`ConnectionError`, `TimeoutError`, `PermissionError`, `ValueError`).
"""

from __future__ import annotations

from typing import ClassVar


class KlemheistError(Exception):
    """Anything that Klemheist raises. `str(error)` is one line: what happened and what to do."""

    is_recoverable: ClassVar[bool] = False
    """Whether the same operation may succeed when it is tried again."""

    advice: ClassVar[str] = "read the message"
    """One line of advice for whoever meets this error for the first time."""


class LinkError(KlemheistError):
    """The byte stream to a device could not be opened, or failed."""

    is_recoverable = True
    advice = "check that the device is plugged in and its URL is right"

    def __init__(self, message: str, *, maybe_executed: bool = False) -> None:
        super().__init__(message)
        self.maybe_executed = maybe_executed
        """True where the device may have run the call whose answer is missing (DESIGN 3.5)."""


class LinkLost(LinkError, ConnectionError):  # noqa: N818 -- the words of DESIGN 5
    """The link was open and is gone: unplugged, closed by its peer, its process killed."""

    advice = "the device is reopened by itself; send the call again if it may run twice"


class DeviceReset(LinkError, ConnectionError):  # noqa: N818 -- as above
    """The device's interpreter booted anew while a call was under way (DESIGN 3.4)."""

    advice = "what lived in the device's memory is gone; deployments are sent again when needed"


class LinkTimeout(LinkError, TimeoutError):  # noqa: N818 -- as above
    """No answer within the deadline; recovery goes on by itself (DESIGN 3.3).

    `recovery` is a future of the rung of the ladder that worked, where a ladder was started.
    """

    advice = "raise timeout=, or look why the device is busy"

    recovery: object | None = None


class LinkBusy(LinkError):  # noqa: N818 -- as above
    """Somebody else holds the port."""

    advice = "close the other program, or share its session"


class UnknownScheme(LinkError, ValueError):  # noqa: N818 -- as above
    """No link is known for this device URL, or the URL lacks a part."""

    is_recoverable = False
    advice = "use one of the URLs that `klemheist devices` lists"


class LinkAmbiguous(LinkError):  # noqa: N818 -- as above
    """Several ports are what the URL asks for; none was opened."""

    is_recoverable = False
    advice = "use the URL that the message gives for the one you mean"


class LinkPermissionError(LinkError, PermissionError):
    """The system does not let this user open the port."""

    is_recoverable = False
    advice = "join the group that owns the port (often dialout), then log in again"


class LinkAccessDenied(LinkError, PermissionError):  # noqa: N818 -- as above
    """The server before the device asks for a login and does not take the one of the URL."""

    is_recoverable = False
    advice = "give the right user and password in the URL, as ws://:PASSWORD@host"
