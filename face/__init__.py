"""Klemheist: an actor-model session supervisor for devices with a MicroPython REPL.

    import klemheist

    with klemheist.SessionManager() as manager, manager.session("sim:") as s:
        assert s("6 * 7") == 42

What a session started on a device is gone when it ends, however it ends; what crashed is running
again, within its policy.
"""

from loguru import logger as _logger

from klemheist.actors import *  # noqa: F403 -- the room says what is public
from klemheist.errors import *  # noqa: F403 -- as above
from klemheist.supervisors import *  # noqa: F403 -- as above
from klemheist.transports import PortInfo as PortInfo
from klemheist.transports import list_ports as list_ports

_logger.disable("klemheist")  # a library is silent until its user enables it
