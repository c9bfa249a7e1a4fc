"""The runtime: what an actor is made of. Pykka's public behaviour, with an end to every life.

Futures, timers, exit reasons, mailboxes. Nothing here knows a device or a supervisor.
"""

from .actor import LATER, Actor, spawn, start_linked
from .clock import SYSTEM_CLOCK, Clock, ManualClock
from .errors import ActorDead, AskTimeout, FutureCancelled, WouldDeadlock
from .exits import Exit, ExitReason, Ignore
from .future import Future
from .ref import ActorRef, watch_exit
from .schedule import Schedule
from .timers import TIMERS, Timer, Timers

__all__ = [
    "LATER",
    "SYSTEM_CLOCK",
    "TIMERS",
    "Actor",
    "ActorDead",
    "ActorRef",
    "AskTimeout",
    "Clock",
    "Exit",
    "ExitReason",
    "Future",
    "FutureCancelled",
    "Ignore",
    "ManualClock",
    "Schedule",
    "Timer",
    "Timers",
    "WouldDeadlock",
    "spawn",
    "start_linked",
    "watch_exit",
]
