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
├── HostFileNotFoundError       the host has no such file or folder
├── HostNotADirectoryError      the host has a file where a folder was asked for
├── CapabilityError             this device cannot do it
├── SessionError                a session or its manager is not in the state for it
│   ├── SessionClosed
│   ├── SessionNotFound
│   ├── SessionLimitError
│   ├── DeviceBusy
│   ├── BudgetExceeded
│   ├── ResourceConflict
│   ├── AlreadyHeld
│   ├── SessionFaulted
│   ├── StaleHandle
│   ├── QueueFull
│   └── CallCancelled
├── ArgumentError               an argument cannot be sent, or an option is wrong
│   ├── PathError               a path leaves the folder that it must stay in
│   └── InvalidArgument         an actor's setting, or what its runtime was given, makes no sense
├── ResultTypeError             a result is nothing that a literal can say
├── SourceUnavailable           a function has no source that could run on a device
├── CodeSyntaxError             the code is no Python
├── ResourceCleanupError        some cleanups failed; all others were done
├── SupervisorError             the supervision tree refused; `code` is OTP's word
│   ├── StartError
│   ├── InvalidChildSpec
│   │   └── InvalidFlags
│   ├── InitError
│   ├── ChildNotFound
│   ├── AlreadyStarted
│   ├── AlreadyPresent
│   ├── ChildRunning
│   ├── ChildRestarting         (only here: `klemheist.ChildRestarting` is the event)
│   ├── MaxChildren
│   └── NotSupported
├── ActorDead                   the actor is gone
│   └── ActorRestarted
├── AskTimeout                  no answer within the time that the caller gave
├── FutureCancelled             the result was cancelled before it was there
├── MailboxFull                 a bounded mailbox has no room
├── StashOverflow               an actor has put aside as much as it may
├── NameTaken                   another actor has the name
├── StreamFull                  a bounded stream has no room
├── WouldBlock                  an actor on the pool would wait for room in a stream
└── WouldDeadlock               a turn waited for what can only come after it
"""

from __future__ import annotations

from klemheist.actors.errors import (
    AlreadyHeld,
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
    HostFileNotFoundError,
    HostNotADirectoryError,
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
from klemheist.actors.runtime.errors import (
    ActorDead,
    ActorRestarted,
    AskTimeout,
    FutureCancelled,
    InvalidArgument,
    MailboxFull,
    NameTaken,
    StashOverflow,
    WouldDeadlock,
)
from klemheist.actors.sources import CodeSyntaxError, SourceUnavailable
from klemheist.actors.streams.errors import StreamFull, WouldBlock
from klemheist.supervisors.core.errors import (
    AlreadyPresent,
    AlreadyStarted,
    ChildNotFound,
    ChildRunning,
    InitError,
    InvalidChildSpec,
    InvalidFlags,
    MaxChildren,
    NotSupported,
    StartError,
    SupervisorError,
)
from klemheist.supervisors.core.errors import ChildRestarting as ChildRestarting  # noqa: PLC0414
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
    "ActorDead",
    "ActorRestarted",
    "AlreadyHeld",
    "AlreadyPresent",
    "AlreadyStarted",
    "ArgumentError",
    "AskTimeout",
    "BudgetExceeded",
    "CallCancelled",
    "CapabilityError",
    "ChildNotFound",
    "ChildRunning",
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
    "FutureCancelled",
    "HostFileNotFoundError",
    "HostNotADirectoryError",
    "InitError",
    "InvalidArgument",
    "InvalidChildSpec",
    "InvalidFlags",
    "KlemheistError",
    "LinkAccessDenied",
    "LinkAmbiguous",
    "LinkBusy",
    "LinkError",
    "LinkLost",
    "LinkPermissionError",
    "LinkTimeout",
    "MailboxFull",
    "MaxChildren",
    "NameTaken",
    "NotSupported",
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
    "StartError",
    "StashOverflow",
    "StreamFull",
    "SupervisorError",
    "UnknownScheme",
    "WouldBlock",
    "WouldDeadlock",
]
