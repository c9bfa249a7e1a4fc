"""What can go wrong with a device's code, a session or its cleanup.

Link errors stand in `klemheist.transports.errors`; `klemheist.errors` draws the whole tree.
"""

from __future__ import annotations

from typing import ClassVar

from klemheist.transports.errors import KlemheistError
from klemheist.transports.repl.values import ArgumentError


class DeviceError(KlemheistError):
    """Code on the device raised; `str(error)` is `type: message`, on the user's own line."""

    advice = "look at `traceback`: its lines are those of your own source"

    def __init__(self, kind: str, message: str = "", *, traceback: str = "") -> None:
        text = f"{kind}: {message}" if message else kind
        super().__init__(text)
        self.kind = kind
        """The exception's type name on the device, such as `OSError`."""
        self.message = message
        self.traceback = traceback
        """The device's traceback, with the host's files and lines where they are known."""
        if traceback:
            self.add_note(traceback)  # Python prints it below the message

    def __str__(self) -> str:
        """Return one line; `traceback` has the rest."""
        return str(self.args[0])


class DeviceMemoryError(DeviceError, MemoryError):
    """The device's memory is exhausted, also after a collection (DESIGN 7)."""

    is_recoverable = True
    advice = "send less at once, or end a session that shares the device"

    def __init__(self, *, free: int, traceback: str = "") -> None:
        super().__init__("MemoryError", f"{free} bytes are free", traceback=traceback)
        self.free = free
        """Bytes that were free after the collection; -1 where the device does not say."""


class DeviceFileError(DeviceError, OSError):
    """The device could not do it with a file; `code` is its reason, such as `ENOTEMPTY`."""

    advice = "`session.files.list()` shows what is there"
    words: ClassVar[str] = ""

    def __init__(self, path: str, text: str = "", *, code: str = "") -> None:
        super().__init__("OSError", f"{path}: {text or self.words}")
        self.path = path
        self.code = code
        """The symbolic name of the device's errno; empty where it gave none."""


class DeviceFileNotFoundError(DeviceFileError, FileNotFoundError):
    """There is no such file or directory on the device."""

    words = "no such file on the device"


class DeviceFileExistsError(DeviceFileError, FileExistsError):
    """There is one of this name already."""

    advice = "choose another name, remove it first, or say exist_ok=True"
    words = "it is there already"


class DeviceIsADirectoryError(DeviceFileError, IsADirectoryError):
    """It is a directory, where a file was asked for."""

    advice = "give the path of a file; `session.files.list(path)` shows what is in the directory"
    words = "it is a directory"


class DeviceNotADirectoryError(DeviceFileError, NotADirectoryError):
    """It is a file, or lies below one, where a directory was asked for."""

    words = "it is no directory"


class DeviceReadOnlyError(DeviceFileError, PermissionError):
    """The device lets nobody write there, as CircuitPython does while its drive is mounted."""

    advice = "eject the drive on the host, or remount it writable on the device"
    words = "the device does not let it be written"


class DeviceDiskFullError(DeviceFileError):
    """There is no room for it; the device is as it was."""

    advice = "remove files, or send less"

    def __init__(self, path: str, *, needed: int, free: int) -> None:
        super().__init__(path, f"{needed} bytes are needed, {free} are free", code="ENOSPC")
        self.needed = needed
        """Bytes that were to be written."""
        self.free = free
        """Bytes that were free; of a device that does not say, those that it took until then."""


class PathError(ArgumentError, ValueError):
    """A path leaves the folder that it must stay in; nothing was sent."""

    advice = "give paths below the root, without `..`, and links that stay inside"


class HostFileNotFoundError(KlemheistError, FileNotFoundError):
    """The host has no such file or folder; nothing was sent."""

    advice = "check the path: it is one of this machine"


class HostNotADirectoryError(KlemheistError, NotADirectoryError):
    """The host has a file where a folder was asked for; nothing was sent."""

    advice = "give the folder that the file lies in"


class DeviceAttributeError(DeviceError, AttributeError):
    """An object on the device has no such attribute."""

    advice = "`dir(…)` on the device shows what it has"


class DeviceKeyError(DeviceError, KeyError):
    """A mapping on the device has no such key."""


class DeviceIndexError(DeviceError, IndexError):
    """A sequence on the device is not that long."""


class DeviceTypeError(DeviceError, TypeError):
    """An object on the device is of a type that cannot do this."""


class CapabilityError(KlemheistError):
    """This device cannot do what was asked, or does not say what it can."""

    advice = "compare with `session.device.capabilities`"


class SessionError(KlemheistError):
    """A session, or its manager, is not in the state for this."""

    advice = "look at `session.status`"


class SessionClosed(SessionError):  # noqa: N818 -- DESIGN 5 names it
    """The session has ended, or is ending."""

    advice = "create a new session"


class SessionNotFound(SessionError, LookupError):  # noqa: N818 -- DESIGN 5 names it
    """No live session has this id."""

    advice = "`manager.snapshot()` shows those that live"


class SessionLimitError(SessionError):
    """`max_concurrent_sessions` are already live."""

    is_recoverable = True
    advice = "end a session, or raise SessionOptions.max_concurrent_sessions"


class DeviceBusy(SessionError):  # noqa: N818 -- as those of links
    """Another session lives on the device, and one of the two wants it exclusively."""

    is_recoverable = True
    advice = "end the other session, or wait for its end: session(…, wait=5.0)"


class BudgetExceeded(SessionError):  # noqa: N818 -- says what happened
    """The session would hold more than its `Budget`; nothing was changed, or it was undone."""

    advice = "give something back first, or give the session a larger Budget"

    def __init__(self, what: str, *, wanted: int, limit: int) -> None:
        super().__init__(
            f"{what}: {wanted} would be held, the session's budget is {limit}; "
            f"give something back, or raise Budget({what}=…)"
        )
        self.what = what
        """Which limit: memory, threads or cost."""
        self.wanted = wanted
        """What it would have come to."""
        self.limit = limit


class ResourceConflict(SessionError):  # noqa: N818 -- says what happened
    """Another resource has claimed the same pin, timer, file or whatever it is (SES-017)."""

    advice = "use another one, or end the session that holds it"

    def __init__(
        self, device: str, kind: str, name: str, session_id: str, resource_id: str
    ) -> None:
        super().__init__(
            f"{kind} {name} of {device} is held by {resource_id!r} of session {session_id}; "
            "use another one, or end that session"
        )
        self.kind = kind
        self.name = name
        self.session_id = session_id
        """The session that holds it."""
        self.resource_id = resource_id
        """The resource that holds it."""


class AlreadyHeld(SessionError):  # noqa: N818 -- says what happened
    """The session holds another thing of this id: the cleanup of that one would be lost."""

    advice = "give it another id, or unregister the one that is held"

    def __init__(self, kind: str, key: str, session_id: str) -> None:
        super().__init__(
            f"session {session_id} holds another {kind} of the id {key!r}; "
            "give this one another id, or unregister that one first"
        )
        self.kind = kind
        """What it is: resource or thread."""
        self.key = key
        """The id that both have."""


class SessionFaulted(SessionError):  # noqa: N818 -- DESIGN 5 names it
    """The session could not be brought back after a fault, or its policy forbids it."""

    advice = "create a new session, or choose another restart policy"


class StaleHandle(SessionError):  # noqa: N818 -- DESIGN 5 names it
    """The handle belongs to an earlier boot of the device's interpreter (DESIGN 3.4)."""

    advice = "make the object again in this generation"


class QueueFull(SessionError):  # noqa: N818 -- DESIGN 5 names it
    """Too many calls of this session wait for the device."""

    is_recoverable = True
    advice = "wait for some of the futures before submitting more"


class CallCancelled(SessionError):  # noqa: N818 -- DESIGN 5 names it
    """The call was cancelled; `maybe_executed` says whether it had begun."""

    advice = "nothing: somebody did not want the result any more"

    def __init__(self, message: str, *, maybe_executed: bool) -> None:
        super().__init__(message)
        self.maybe_executed = maybe_executed


class ResourceCleanupError(KlemheistError, ExceptionGroup[Exception]):
    """Some cleanups of a session failed; all others were done (SES-100, SES-102)."""

    advice: ClassVar[str] = "look at `exceptions`; what is owed is done when the device is back"

    result: object = None
    """What the operation returned, where its session could not be cleaned up (SES-108)."""
