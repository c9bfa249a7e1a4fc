"""Why a serial port did not open, in one line that says what to do."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING

from klemheist.transports.errors import LinkBusy, LinkError, LinkPermissionError

if TYPE_CHECKING:
    from collections.abc import Iterator


def explained(url: str, device: str, error: Exception) -> LinkError:
    """Say in one line why a port did not open and what to do."""
    code = getattr(error, "errno", None)
    url = url if device in url else f"{url} ({device})"
    if code in {errno.EBUSY, errno.EAGAIN} or "exclusively lock" in str(error):
        return LinkBusy(f"{url} is in use{_holders(device)}; close it there, or share its session")
    if code in {errno.EACCES, errno.EPERM}:
        return LinkPermissionError(f"{url}: no permission{_group_advice(device)}")
    if code in {errno.ENOENT, errno.ENODEV, errno.ENXIO} or "could not find" in str(error).lower():
        return LinkError(f"{url}: no such port; `klemheist devices` lists what is there")
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return LinkError(f"{url}: {reason}; check the port and its options")


def _group_advice(device: str) -> str:
    try:
        group = Path(device).group()
    except (OSError, KeyError, NotImplementedError):
        return "; ask for access to the port"
    return f"; join its group: sudo usermod -aG {group} $USER, then log in again"


def _holders(device: str) -> str:
    """Name who has the device open, where the system tells (Linux)."""
    names = [f"process {pid} ({_command(pid)})" for pid in _open_in(Path(device).resolve())]
    return f" by {', '.join(names)}" if names else ""


def _open_in(device: Path) -> Iterator[int]:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(_is_link_to(fd, device) for fd in (process / "fd").iterdir()):
                yield int(process.name)
        except OSError:  # it ended, or is another user's
            continue


def _is_link_to(fd: Path, device: Path) -> bool:
    try:
        return str(fd.readlink()) == str(device)
    except OSError:
        return False


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return "unknown"
    return b" ".join(words).decode(errors="replace").strip()[:60] or "unknown"
