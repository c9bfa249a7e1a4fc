"""Who restarts whom: the supervision tree, and the session manager on top of it."""

from klemheist.supervisors.async_manager import AsyncSessionManager
from klemheist.supervisors.child import (
    BRUTAL_KILL,
    INFINITY,
    Backoff,
    ChildSpec,
    ChildType,
    Directive,
    Restart,
    check_child_specs,
    child,
)
from klemheist.supervisors.deployment import AsyncStandingProgram, StandingProgram
from klemheist.supervisors.dynamic import DynamicSupervisor, supervisor
from klemheist.supervisors.events import (
    AutoShutdownReached,
    ChildExited,
    ChildFailed,
    ChildIgnored,
    ChildKilled,
    ChildRestarted,
    ChildRestarting,
    ChildStarted,
    ChildStartFailed,
    ChildStarting,
    ChildTerminated,
    RestartIntensityReached,
    SupervisorStopped,
    TreeEvent,
)
from klemheist.supervisors.flags import AutoShutdown
from klemheist.supervisors.handle import ChildHandle
from klemheist.supervisors.info import (
    ChildCount,
    ChildInfo,
    ChildStatistics,
    StartedChild,
    SupervisorStatistics,
)
from klemheist.supervisors.manager import SessionManager
from klemheist.supervisors.manager_life import ManagerState
from klemheist.supervisors.partition import PartitionSupervisor, PartitionSupervisorRef
from klemheist.supervisors.ref import SupervisorRef
from klemheist.supervisors.snapshot import Node, Tree
from klemheist.supervisors.stats import PerformanceMonitor, PerformanceStats, SessionStats
from klemheist.supervisors.strategy import Strategy
from klemheist.supervisors.supervisor import Supervisor
from klemheist.supervisors.supervisor_spec import SupervisorSpec
from klemheist.supervisors.system import system_events

__all__ = [
    "BRUTAL_KILL",
    "INFINITY",
    "AsyncSessionManager",
    "AsyncStandingProgram",
    "AutoShutdown",
    "AutoShutdownReached",
    "Backoff",
    "ChildCount",
    "ChildExited",
    "ChildFailed",
    "ChildHandle",
    "ChildIgnored",
    "ChildInfo",
    "ChildKilled",
    "ChildRestarted",
    "ChildRestarting",
    "ChildSpec",
    "ChildStartFailed",
    "ChildStarted",
    "ChildStarting",
    "ChildStatistics",
    "ChildTerminated",
    "ChildType",
    "Directive",
    "DynamicSupervisor",
    "ManagerState",
    "Node",
    "PartitionSupervisor",
    "PartitionSupervisorRef",
    "PerformanceMonitor",
    "PerformanceStats",
    "Restart",
    "RestartIntensityReached",
    "SessionManager",
    "SessionStats",
    "StandingProgram",
    "StartedChild",
    "Strategy",
    "Supervisor",
    "SupervisorRef",
    "SupervisorSpec",
    "SupervisorStatistics",
    "SupervisorStopped",
    "Tree",
    "TreeEvent",
    "check_child_specs",
    "child",
    "supervisor",
    "system_events",
]
