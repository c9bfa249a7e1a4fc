"""Every error of Klemheist, in one tree (a test keeps this picture true).

KlemheistError
├── LinkError                   the byte stream to a device could not be opened, or failed
│   ├── LinkLost
│   ├── DeviceReset
│   ├── LinkTimeout
│   ├── LinkBusy
│   ├── UnknownScheme
│   ├── LinkPermissionError
│   └── LinkAccessDenied
├── DeviceError                 code on the device raised
│   ├── DeviceFileNotFoundError
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
    DeviceBusy,
    DeviceError,
    DeviceFileNotFoundError,
    DeviceMemoryError,
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
    "DeviceBusy",
    "DeviceError",
    "DeviceFileNotFoundError",
    "DeviceMemoryError",
    "DeviceReset",
    "KlemheistError",
    "LinkAccessDenied",
    "LinkBusy",
    "LinkError",
    "LinkLost",
    "LinkPermissionError",
    "LinkTimeout",
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
