"""Everything with a mailbox: the runtime, devices, sessions, trackers."""

from klemheist.actors.device.port import Capabilities, DeviceEvent
from klemheist.actors.done import Done
from klemheist.actors.messages import Call, EndSession, Execute, GetStatus, Interrupt
from klemheist.actors.runtime import Actor, ActorRef, AskTimeout, Exit, ExitReason, Future, Ignore
from klemheist.actors.session.async_handles import AsyncSession
from klemheist.actors.session.functions import AsyncTask, AsyncThreadHandle, Task, ThreadHandle
from klemheist.actors.session.handles import Session
from klemheist.actors.session.options import SessionOptions
from klemheist.actors.session.program import Program, setup, task, teardown, thread
from klemheist.actors.session.resources import (
    BackgroundThreadInfo,
    CancelToken,
    DeployedMethodInfo,
    Resource,
    ResourceUsageStats,
)
from klemheist.actors.session.tracker import AsyncResourceTracker, ResourceTracker
from klemheist.actors.streams import Stream, StreamClosed

__all__ = [
    "Actor",
    "ActorRef",
    "AskTimeout",
    "AsyncResourceTracker",
    "AsyncSession",
    "AsyncTask",
    "AsyncThreadHandle",
    "BackgroundThreadInfo",
    "Call",
    "CancelToken",
    "Capabilities",
    "DeployedMethodInfo",
    "DeviceEvent",
    "Done",
    "EndSession",
    "Execute",
    "Exit",
    "ExitReason",
    "Future",
    "GetStatus",
    "Ignore",
    "Interrupt",
    "Program",
    "Resource",
    "ResourceTracker",
    "ResourceUsageStats",
    "Session",
    "SessionOptions",
    "Stream",
    "StreamClosed",
    "Task",
    "ThreadHandle",
    "setup",
    "task",
    "teardown",
    "thread",
]
