"""What can be done with a device's files, whichever way it is waited for: each gives a `Future`."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from posixpath import dirname

from klemheist.actors.errors import CapabilityError, DeviceFileError, DeviceFileNotFoundError
from klemheist.actors.files import kit
from klemheist.actors.files.kit import Order
from klemheist.actors.files.plan import unfinished
from klemheist.actors.operation import Steps, operation
from klemheist.actors.runtime.future import Future

from . import files_disk as disks
from . import files_remote as remote
from . import files_tree as tree
from .files_calls import Transfer, check_path
from .files_transfers import Transfers

Orders = list[Order]
Times = list[int]


@dataclass(frozen=True, slots=True)
class FileInfo:
    """One file or directory of the device."""

    name: str
    size: int
    """Bytes; of a directory, whatever the device says. -1 where the device lists the name and can
    tell nothing of it, such as a dangling link."""
    is_dir: bool
    modified: int = field(default=0, compare=False)
    """When it was changed, in seconds of the device's own clock; 0 where it does not know."""


Walked = list[tuple[str, list[str], list[FileInfo]]]
"""Directory, the names of its directories, its files: as `os.walk` has it."""


class FileOperations(Transfers):
    """What can be done with files; every operation returns a `Future`."""

    # -- asking ------------------------------------------------------------------------------------

    def stat(self, path: str) -> Future[FileInfo]:
        """Ask for size, kind and time."""
        asked = self.go(path, "stat", lambda board: remote.status(board, path))
        return self.recorded("stat", path, asked.map(lambda found: _info(path, *found)))

    @operation
    def exists(self, path: str) -> Steps[bool]:
        """Ask whether it is there."""
        try:
            yield self.stat(path)
        except DeviceFileNotFoundError:
            return False
        return True

    def list(self, path: str) -> Future[list[FileInfo]]:
        """Ask for all names in a directory, sorted."""
        names = self.go(path, "list", lambda board: remote.listed(board, path))
        found = names.map(lambda all_: sorted((_listed(*each) for each in all_), key=_name))
        return self.recorded("list", path, found)

    def walk(self, path: str) -> Future[Walked]:
        """Ask for all that is below a directory; one round trip."""
        return self.recorded("walk", path, self._walk(path))

    @operation
    def _walk(self, path: str) -> Steps[Walked]:
        there = yield self.go(path, "walk", disks.disk)
        root = path.rstrip("/")
        if not there.renames:
            return [(path, [], (yield self.list(path)))]
        found = yield self.ask(path, f"YL({root!r})", "walk")
        return walked(root, found)

    # -- changing ----------------------------------------------------------------------------------

    def remove(self, path: str, *, recursive: bool = False) -> Future[None]:
        """Remove a file or an empty directory, or a directory with all that is in it."""
        removing = self._remove_all(path) if recursive else self._remove(path)
        return self.recorded("remove", path, removing)

    def _remove(self, path: str) -> Future[None]:
        return self.go(path, "remove", lambda board: remote.removed(board, path), changes=True)

    @operation
    def _remove_all(self, path: str) -> Steps[None]:
        """Remove from the bottom up: what fails half way has left whole files."""
        there = yield self.go(path, "remove", disks.disk)
        if not there.renames or not (yield self.stat(path)).is_dir:
            yield self._remove(path)
            return
        root = path.rstrip("/")
        orders = []
        for directory, names, files in reversed((yield self.walk(path))):
            stem = directory.rstrip("/")
            orders += [Order(f"{stem}/{each.name}", 0, kit.REMOVE) for each in files]
            orders += [Order(f"{stem}/{each}", 0, kit.REMOVE_DIRECTORY) for each in names]
        if root:
            orders.append(Order(root, 0, kit.REMOVE_DIRECTORY))
        yield from self.carry_out(path, "remove", orders)

    def carry_out(self, path: str, doing: str, orders: Orders) -> Transfer[None]:
        """Carry out orders that write nothing, turn by turn."""
        for start in range(0, len(orders), tree.MOST_ORDERS):
            yield from self.batch(path, doing, orders[start : start + tree.MOST_ORDERS])

    def batch(self, path: str, doing: str, orders: Orders, data: bytes = b"") -> Transfer[Times]:
        """Carry out orders in one turn; return the times of the files that got their names.

        Raises:
            DeviceFileError: the device could not do one, which it names.
        """
        carry_out = partial(tree.batched, orders=orders, data=data)
        try:
            times: Times = yield self.go(path, doing, carry_out, changes=bool(data))
        except DeviceFileError as error:
            last = yield self.ask(path, "YF.get(-1)", doing)
            if last not in {order.target or order.part for order in orders}:
                raise  # the device was another session's meanwhile
            place = unfinished(last) or last
            text = error.message.removeprefix(f"{error.path}: ")
            raise type(error)(place, text, code=error.code) from error
        return times

    def rename(self, source: str, target: str) -> Future[None]:
        """Rename a file or directory."""
        check_path(target)
        return self.recorded("rename", source, self._rename(source, target))

    @operation
    def _rename(self, source: str, target: str) -> Steps[None]:
        there = yield self.go(source, "rename", disks.disk)
        if not there.renames:
            raise CapabilityError(f"{source}: this device cannot rename; write it anew")
        yield self.change(source, f"os.rename({source!r},{target!r})", "rename")

    def mkdir(self, path: str, *, parents: bool = False, exist_ok: bool = False) -> Future[None]:
        """Make a directory."""
        return self.recorded("mkdir", path, self._make(path, parents=parents, exist_ok=exist_ok))

    @operation
    def _make(self, path: str, *, parents: bool, exist_ok: bool) -> Steps[None]:
        there = yield self.go(path, "mkdir", disks.disk)
        if not there.renames:
            raise CapabilityError(f"{path}: this device has no directories; use plain names")
        orders = [Order(each, 0, kit.MAKE_DIRECTORY) for each in above(path) if parents]
        if exist_ok:
            orders.append(Order(path, 0, kit.MAKE_DIRECTORY))
        try:
            yield from self.carry_out(path, "mkdir", orders)
            if not exist_ok:
                yield self.change(path, f"os.mkdir({path!r})", "mkdir")
        except DeviceFileNotFoundError as error:
            text = "the directory above it is not there; make it too with parents=True"
            raise DeviceFileNotFoundError(path, text, code=error.code) from error


def above(path: str) -> list[str]:
    """Return the directories above a path, the highest first."""
    found = []
    while (path := dirname(path)) not in ("", "/"):
        found.append(path)
    return found[::-1]


def walked(root: str, text: str) -> Walked:
    """Return what a listing says, directory by directory, those above first."""
    places: dict[str, tuple[list[str], list[FileInfo]]] = {"": ([], [])}
    for path, size, time in sorted(kit.listing(text)):
        parent, _, name = path.rpartition("/")
        names, files = places.setdefault(parent, ([], []))
        if size == kit.DIRECTORY_SIZE:
            names.append(name)
            places.setdefault(path, ([], []))
        else:
            files.append(_listed(name, size, False, time))  # noqa: FBT003 -- as below
    return [
        (f"{root}/{place}".rstrip("/") or "/", *found) for place, found in sorted(places.items())
    ]


def _info(path: str, size: int, is_dir: bool, time: int) -> FileInfo:  # noqa: FBT001 -- the device's
    return FileInfo(path.rstrip("/").rpartition("/")[2] or "/", size, is_dir, time)


def _listed(name: str, size: int, is_dir: bool, time: int) -> FileInfo:  # noqa: FBT001 -- as above
    return FileInfo(name, -1 if size == kit.UNKNOWN_SIZE else size, is_dir, time)


def _name(info: FileInfo) -> str:
    return info.name
