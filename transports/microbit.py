"""`microbit:`: MicroPython 1.9 on an emulated BBC micro:bit, a Cortex-M0 with 9 KB free.

QEMU inherits one end of a socket pair as the board's serial port: no TCP port to race for, no file
to clean up, and the board's first output (a leading NUL, normally) is not lost.
"""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

from klemheist.transports.errors import LinkError
from klemheist.transports.process import Child, ProcessLink

FIRMWARE = Path("/usr/share/firmware-microbit-micropython/firmware.hex")
_QEMU = "qemu-system-arm"
_INSTALL = "apt-get install qemu-system-arm firmware-microbit-micropython"


class MicrobitLink(ProcessLink):
    """The board under QEMU. Reset by a fresh QEMU."""

    boots = True

    def _connect(self, timeout: float) -> tuple[int, int]:
        del timeout  # nothing here waits
        if shutil.which(_QEMU) is None:
            raise LinkError(f"microbit: needs {_QEMU}; install it: {_INSTALL}")
        if not FIRMWARE.exists():
            raise LinkError(f"microbit: needs the firmware {FIRMWARE}; install it: {_INSTALL}")
        ours, theirs = socket.socketpair()
        with ours, theirs:
            fd = theirs.fileno()
            try:
                self._child = Child.spawn(_command(fd), keep=(fd,))
            except OSError as error:
                raise LinkError(f"microbit: cannot start {_QEMU}: {error.strerror}") from error
            port = os.dup(ours.fileno())
        return port, port


def _command(fd: int) -> list[str]:
    return [
        *(_QEMU, "-M", "microbit", "-device", f"loader,file={FIRMWARE}"),
        *("-nographic", "-monitor", "none", "-nodefaults"),
        *("-chardev", f"socket,id=port,fd={fd}", "-serial", "chardev:port"),
    ]
