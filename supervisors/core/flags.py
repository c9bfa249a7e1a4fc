"""The words in which a supervisor and its children are specified."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum, StrEnum
from typing import Final, Literal, TypeAlias

import pykka


class Restart(StrEnum):
    """When a child that ended is started again (supervision.md 2.2)."""

    PERMANENT = "permanent"
    """Always."""
    TRANSIENT = "transient"
    """After a fault; not after normal or shutdown."""
    TEMPORARY = "temporary"
    """Never; it is forgotten."""


class ChildType(StrEnum):
    """What a child is, for counting and for the default of its shutdown."""

    WORKER = "worker"
    SUPERVISOR = "supervisor"


class AutoShutdown(StrEnum):
    """Whether the end of significant children ends their supervisor, with reason shutdown.

    It counts where a child ended by itself and is not restarted: not an end that was asked for, nor
    one that came with a sibling's restart.
    """

    NEVER = "never"
    ANY_SIGNIFICANT = "any_significant"
    """The first of them."""
    ALL_SIGNIFICANT = "all_significant"
    """The last of them."""


class Directive(StrEnum):
    """What an exception in a child means (Akka's decider)."""

    RESUME = "resume"
    """Nothing but a line in the log: the child goes on with its next message."""
    RESTART = "restart"
    """What its restart type says; the same as no directive."""
    STOP = "stop"
    """It stays down, as after a normal end; also a permanent one."""
    ESCALATE = "escalate"
    """Its supervisor ends too, with the child's reason."""


class BrutalKill(Enum):
    """The type of `BRUTAL_KILL`."""

    BRUTAL_KILL = "brutal_kill"


BRUTAL_KILL: Final = BrutalKill.BRUTAL_KILL
"""`shutdown=BRUTAL_KILL`: killed at once, without being asked."""
INFINITY: Final = math.inf
"""`shutdown=INFINITY`: waited for as long as it takes."""

Shutdown: TypeAlias = float | Literal[BrutalKill.BRUTAL_KILL]
Directives: TypeAlias = Mapping[type[BaseException], Directive]
ActorClass: TypeAlias = type[pykka.Actor]
