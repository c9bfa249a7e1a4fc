"""Who restarts whom: the supervision tree, and the session manager on top of it."""

from klemheist.supervisors.core.child import (
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
from klemheist.supervisors.core.events import (
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
from klemheist.supervisors.core.flags import AutoShutdown
from klemheist.supervisors.core.info import (
    ChildCount,
    ChildInfo,
    ChildStatistics,
    Started,
    SupervisorStatistics,
)
from klemheist.supervisors.core.strategy import Strategy
from klemheist.supervisors.core.supervisor_spec import SupervisorSpec
from klemheist.supervisors.manager.async_manager import AsyncSessionManager
from klemheist.supervisors.manager.deployment import AsyncStandingProgram, StandingProgram
from klemheist.supervisors.manager.life import ManagerState
from klemheist.supervisors.manager.manager import SessionManager
from klemheist.supervisors.manager.plug import PortAppeared, PortEvent, PortGone
from klemheist.supervisors.manager.stats import PerformanceMonitor, PerformanceStats, SessionStats
from klemheist.supervisors.tree.dynamic import DynamicSupervisor, supervisor
from klemheist.supervisors.tree.handle import ChildHandle
from klemheist.supervisors.tree.partition import PartitionSupervisor, PartitionSupervisorRef
from klemheist.supervisors.tree.ref import SupervisorRef
from klemheist.supervisors.tree.snapshot import Node, Tree
from klemheist.supervisors.tree.supervisor import Supervisor
from klemheist.supervisors.tree.system import system_events

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
    "PortAppeared",
    "PortEvent",
    "PortGone",
    "Restart",
    "RestartIntensityReached",
    "SessionManager",
    "SessionStats",
    "StandingProgram",
    "Started",
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
