"""Every error of Klemheist, in one tree (a test keeps this picture true).

KlemheistError
├── LinkError                   the byte stream to a device could not be opened, or failed
│   ├── LinkLost
│   ├── DeviceReset
│   ├── LinkTimeout
│   ├── LinkBusy
│   ├── LinkAmbiguous
│   ├── UnknownScheme
│   ├── LinkPermissionError
│   └── LinkAccessDenied
├── DeviceError                 code on the device raised
│   ├── DeviceFileError         with a file of the device; `code` is its errno's name
│   │   ├── DeviceFileNotFoundError
│   │   ├── DeviceFileExistsError
│   │   ├── DeviceIsADirectoryError
│   │   ├── DeviceNotADirectoryError
│   │   ├── DeviceReadOnlyError
│   │   └── DeviceDiskFullError
│   ├── DeviceAttributeError
│   ├── DeviceKeyError
│   ├── DeviceIndexError
│   ├── DeviceTypeError
│   └── DeviceMemoryError
├── CapabilityError             this device cannot do it
├── SessionError                a session or its manager is not in the state for it
│   ├── SessionClosed
│   ├── SessionNotFound
│   ├── SessionLimitError
│   ├── DeviceBusy
│   ├── BudgetExceeded
│   ├── ResourceConflict
│   ├── SessionFaulted
│   ├── StaleHandle
│   ├── QueueFull
│   └── CallCancelled
├── ArgumentError               an argument cannot be sent, or an option is wrong
│   └── PathError               a path leaves the folder that it must stay in
├── ResultTypeError             a result is nothing that a literal can say
├── SourceUnavailable           a function has no source that could run on a device
├── CodeSyntaxError             the code is no Python
├── ResourceCleanupError        some cleanups failed; all others were done
└── SupervisorError             the supervision tree refused; `code` is OTP's word
"""

from __future__ import annotations

from klemheist.actors.errors import (
    BudgetExceeded,
    CallCancelled,
    CapabilityError,
    DeviceAttributeError,
    DeviceBusy,
    DeviceDiskFullError,
    DeviceError,
    DeviceFileError,
    DeviceFileExistsError,
    DeviceFileNotFoundError,
    DeviceIndexError,
    DeviceIsADirectoryError,
    DeviceKeyError,
    DeviceMemoryError,
    DeviceNotADirectoryError,
    DeviceReadOnlyError,
    DeviceTypeError,
    PathError,
    QueueFull,
    ResourceCleanupError,
    ResourceConflict,
    SessionClosed,
    SessionError,
    SessionFaulted,
    SessionLimitError,
    SessionNotFound,
    StaleHandle,
)
from klemheist.actors.sources import CodeSyntaxError, SourceUnavailable
from klemheist.supervisors.core.errors import SupervisorError
from klemheist.transports.errors import (
    DeviceReset,
    KlemheistError,
    LinkAccessDenied,
    LinkAmbiguous,
    LinkBusy,
    LinkError,
    LinkLost,
    LinkPermissionError,
    LinkTimeout,
    UnknownScheme,
)
from klemheist.transports.repl.values import ArgumentError, ResultTypeError

__all__ = [
    "ArgumentError",
    "BudgetExceeded",
    "CallCancelled",
    "CapabilityError",
    "CodeSyntaxError",
    "DeviceAttributeError",
    "DeviceBusy",
    "DeviceDiskFullError",
    "DeviceError",
    "DeviceFileError",
    "DeviceFileExistsError",
    "DeviceFileNotFoundError",
    "DeviceIndexError",
    "DeviceIsADirectoryError",
    "DeviceKeyError",
    "DeviceMemoryError",
    "DeviceNotADirectoryError",
    "DeviceReadOnlyError",
    "DeviceReset",
    "DeviceTypeError",
    "KlemheistError",
    "LinkAccessDenied",
    "LinkAmbiguous",
    "LinkBusy",
    "LinkError",
    "LinkLost",
    "LinkPermissionError",
    "LinkTimeout",
    "PathError",
    "QueueFull",
    "ResourceCleanupError",
    "ResourceConflict",
    "ResultTypeError",
    "SessionClosed",
    "SessionError",
    "SessionFaulted",
    "SessionLimitError",
    "SessionNotFound",
    "SourceUnavailable",
    "StaleHandle",
    "SupervisorError",
    "UnknownScheme",
]
