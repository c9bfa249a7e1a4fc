"""The runtime: what an actor is made of. Pykka's public behaviour, with an end to every life.

Futures, timers, exit reasons, mailboxes, the pool. Nothing here knows a device or a supervisor.
"""

from .actor import Actor
from .clock import SYSTEM_CLOCK, Clock, ManualClock
from .deadletters import DEAD_LETTERS, DeadLetter, MailboxOverflow
from .errors import (
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
from .exits import Exit, ExitReason, Ignore
from .foreign import start_foreign
from .future import Future
from .here import current_actor
from .life import LATER
from .mailbox import Bounded, Priority, Unbounded
from .names import register, unregister, whereis
from .pool import POOL
from .ref import ActorRef, rest, watch_exit
from .schedule import Schedule
from .signals import (
    ExitSignal,
    NotInfluenceReceiveTimeout,
    ReceiveTimeout,
    Terminated,
    WatchRef,
)
from .spawn import spawn, start_linked
from .timers import TIMERS, Timer, Timers
from .worker import zombies

__all__ = [
    "DEAD_LETTERS",
    "LATER",
    "POOL",
    "SYSTEM_CLOCK",
    "TIMERS",
    "Actor",
    "ActorDead",
    "ActorRef",
    "ActorRestarted",
    "AskTimeout",
    "Bounded",
    "Clock",
    "DeadLetter",
    "Exit",
    "ExitReason",
    "ExitSignal",
    "Future",
    "FutureCancelled",
    "Ignore",
    "InvalidArgument",
    "MailboxFull",
    "MailboxOverflow",
    "ManualClock",
    "NameTaken",
    "NotInfluenceReceiveTimeout",
    "Priority",
    "ReceiveTimeout",
    "Schedule",
    "StashOverflow",
    "Terminated",
    "Timer",
    "Timers",
    "Unbounded",
    "WatchRef",
    "WouldDeadlock",
    "current_actor",
    "register",
    "rest",
    "spawn",
    "start_foreign",
    "start_linked",
    "unregister",
    "watch_exit",
    "whereis",
    "zombies",
]
