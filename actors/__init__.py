"""Everything with a mailbox: the runtime, devices, sessions, trackers."""

from klemheist.actors.device.facts import Capabilities, DeviceEvent
from klemheist.actors.done import Done
from klemheist.actors.messages import Call, EndSession, Execute, GetStatus, Interrupt
from klemheist.actors.runtime import (
    DEAD_LETTERS,
    Actor,
    ActorDead,
    ActorRef,
    AskTimeout,
    Bounded,
    DeadLetter,
    Exit,
    ExitReason,
    ExitSignal,
    Future,
    Ignore,
    MailboxFull,
    MailboxOverflow,
    NameTaken,
    NotInfluenceReceiveTimeout,
    Priority,
    ReceiveTimeout,
    StashOverflow,
    Terminated,
    Unbounded,
    WatchRef,
    WouldDeadlock,
    register,
    start_foreign,
    unregister,
    whereis,
    zombies,
)
from klemheist.actors.session.async_handles import AsyncSession
from klemheist.actors.session.budget import Budget
from klemheist.actors.session.claims import Claim
from klemheist.actors.session.context import EndContext, Level
from klemheist.actors.session.file_system import FileSystemState
from klemheist.actors.session.functions import AsyncThreadHandle, ThreadHandle
from klemheist.actors.session.generators import AsyncRemoteGenerator, RemoteGenerator
from klemheist.actors.session.handles import Session
from klemheist.actors.session.options import SessionOptions
from klemheist.actors.session.program import Program, setup, task, teardown, thread
from klemheist.actors.session.proxies import AsyncProxy, Proxy
from klemheist.actors.session.resources import (
    BackgroundThreadInfo,
    CancelToken,
    DeployedMethodInfo,
    Resource,
    ResourceUsageStats,
)
from klemheist.actors.session.tasks import (
    AsyncGeneratorTask,
    AsyncTask,
    GeneratorTask,
    Task,
)
from klemheist.actors.session.timesync import TimeSync
from klemheist.actors.session.tracker import AsyncResourceTracker, ResourceTracker
from klemheist.actors.streams import (
    Overflow,
    Publisher,
    Stream,
    StreamClosed,
    StreamFull,
    Subscription,
    WouldBlock,
    Writable,
)

__all__ = [
    "DEAD_LETTERS",
    "Actor",
    "ActorDead",
    "ActorRef",
    "AskTimeout",
    "AsyncGeneratorTask",
    "AsyncProxy",
    "AsyncRemoteGenerator",
    "AsyncResourceTracker",
    "AsyncSession",
    "AsyncTask",
    "AsyncThreadHandle",
    "BackgroundThreadInfo",
    "Bounded",
    "Budget",
    "Call",
    "CancelToken",
    "Capabilities",
    "Claim",
    "DeadLetter",
    "DeployedMethodInfo",
    "DeviceEvent",
    "Done",
    "EndContext",
    "EndSession",
    "Execute",
    "Exit",
    "ExitReason",
    "ExitSignal",
    "FileSystemState",
    "Future",
    "GeneratorTask",
    "GetStatus",
    "Ignore",
    "Interrupt",
    "Level",
    "MailboxFull",
    "MailboxOverflow",
    "NameTaken",
    "NotInfluenceReceiveTimeout",
    "Overflow",
    "Priority",
    "Program",
    "Proxy",
    "Publisher",
    "ReceiveTimeout",
    "RemoteGenerator",
    "Resource",
    "ResourceTracker",
    "ResourceUsageStats",
    "Session",
    "SessionOptions",
    "StashOverflow",
    "Stream",
    "StreamClosed",
    "StreamFull",
    "Subscription",
    "Task",
    "Terminated",
    "ThreadHandle",
    "TimeSync",
    "Unbounded",
    "WatchRef",
    "WouldBlock",
    "WouldDeadlock",
    "Writable",
    "register",
    "setup",
    "start_foreign",
    "task",
    "teardown",
    "thread",
    "unregister",
    "whereis",
    "zombies",
]
