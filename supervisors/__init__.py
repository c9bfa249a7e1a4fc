"""Who restarts whom: the supervision tree, and the session manager on top of it."""

from klemheist.supervisors.async_manager import AsyncSessionManager
from klemheist.supervisors.child import (
    BRUTAL_KILL,
    INFINITY,
    Backoff,
    ChildSpec,
    ChildType,
    Restart,
    child,
)
from klemheist.supervisors.deployment import AsyncStandingProgram, StandingProgram
from klemheist.supervisors.dynamic import DynamicSupervisor, supervisor
from klemheist.supervisors.info import ChildCount, ChildInfo, StartedChild
from klemheist.supervisors.manager import SessionManager
from klemheist.supervisors.manager_life import ManagerState
from klemheist.supervisors.ref import ChildHandle, SupervisorRef
from klemheist.supervisors.snapshot import Node, Tree
from klemheist.supervisors.stats import PerformanceMonitor, PerformanceStats, SessionStats
from klemheist.supervisors.strategy import Strategy
from klemheist.supervisors.supervisor import Supervisor

__all__ = [
    "BRUTAL_KILL",
    "INFINITY",
    "AsyncSessionManager",
    "AsyncStandingProgram",
    "Backoff",
    "ChildCount",
    "ChildHandle",
    "ChildInfo",
    "ChildSpec",
    "ChildType",
    "DynamicSupervisor",
    "ManagerState",
    "Node",
    "PerformanceMonitor",
    "PerformanceStats",
    "Restart",
    "SessionManager",
    "SessionStats",
    "StandingProgram",
    "StartedChild",
    "Strategy",
    "Supervisor",
    "SupervisorRef",
    "Tree",
    "child",
    "supervisor",
]
