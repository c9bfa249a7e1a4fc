"""A folder of the host, and a folder of the device that is to hold the same (`Files.sync`).

1. Both sides say what they have; of the device one round trip tells all, the manifest included.
2. What the manifest does not vouch for is compared by hash, on the device.
3. A plan says what is to be done; what cannot be done is refused now, with nothing changed.
4. Batches carry it out: the first removes the manifest, the last writes the new one.

A batch that was carried out may be carried out again. After a fault of the link the sync begins
anew with step 1: what has arrived is found there, compared by its hash, and not sent again.
"""

from __future__ import annotations

from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, Final

from klemheist.actors.background import in_background
from klemheist.actors.errors import CapabilityError, DeviceDiskFullError, DeviceFileError
from klemheist.actors.files import kit, local, manifest
from klemheist.actors.files.kit import Order
from klemheist.actors.files.local import LocalFile, LocalTree
from klemheist.actors.files.manifest import Entry
from klemheist.actors.files.plan import (
    Listing,
    Plan,
    SyncOptions,
    SyncResult,
    judge,
    most_needed,
    part_ending,
    plan,
    rooted,
    unfinished,
)
from klemheist.actors.operation import Steps, operation
from klemheist.actors.runtime.clock import SYSTEM_CLOCK
from klemheist.actors.runtime.future import Future
from klemheist.transports.repl.values import ArgumentError

from . import files_disk as disks
from . import files_tree as tree
from .files_calls import FAULTS, MOST_FAULTS, Report, Transfer, check_path
from .files_core import FileOperations, above
from .files_parts import hold_parts
from .files_turns import turns_on
from .ledger import EntryKind
from .resources import Resource

MOST_HASHED: Final = 64
"""Files that are hashed in one turn."""
_THREAD: Final = "sync"


class _Progress:
    """What one sync has done so far, over all its beginnings."""

    def __init__(
        self, root: str, folder: Path, options: SyncOptions, report: Report | None
    ) -> None:
        self.root = root
        self.folder = folder
        self.options = options
        self.report = report
        self.mpy = -1
        self.written: dict[str, int] = {}
        """Bytes by path."""
        self.tried: dict[str, int] = {}
        """The same of all that was sent: a fault may have hidden that it arrived."""
        self.removed: set[str] = set()
        self.skipped: tuple[str, ...] = ()
        self.begun: dict[str, int] = {}
        """Bytes that are there already, of files that a fault has cut short."""
        self.ending = part_ending()
        """What the names of its unfinished files end with."""
        self.expected = 0
        self.parts: Resource | None = None
        """What it leaves when it is cut off, held until it is done."""

    def tell(self, more: int = 0) -> None:
        if self.report is not None:
            done = sum(self.written.values()) + more
            self.report((done, max(done, self.expected)))


class SyncingFiles(FileOperations):
    """`FileOperations` with `sync`."""

    def sync(
        self,
        folder: str | PathLike[str],
        to: str,
        report: Report | None = None,
        *,
        options: SyncOptions,
    ) -> Future[SyncResult]:
        """Make a folder of the device hold what a folder of the host holds."""
        check_path(to)
        if not isinstance(folder, str | PathLike):
            raise ArgumentError(f"{folder!r} is no folder of the host; give its path")
        return self.recorded("sync", to, self._sync(folder, to, report, options))

    @operation
    def _sync(
        self,
        folder: str | PathLike[str],
        to: str,
        report: Report | None,
        options: SyncOptions,
    ) -> Steps[SyncResult]:
        began = SYSTEM_CLOCK.monotonic()
        so_far = _Progress(rooted(to), Path(folder), options, report)
        turns = turns_on(self.core.port.board)
        turn = turns.take(to, self.core.options.call_timeout)
        self.core._keep(turn)  # noqa: SLF001 -- as a call: the session's end does not wait for it
        try:
            yield turn
            made = yield from self._until_alike(so_far)
            if so_far.parts is not None:
                self.release(so_far.parts)
        except BaseException:
            if so_far.parts is not None:
                yield self.core.clean_one(EntryKind.RESOURCE, so_far.parts.resource_id)
            raise
        finally:
            turns.leave(turn)
        so_far.written |= {
            each: so_far.tried[each] for each in made.unchanged if each in so_far.tried
        }
        so_far.tell()
        return SyncResult(
            written=tuple(sorted(so_far.written)),
            removed=tuple(sorted(so_far.removed)),
            unchanged=tuple(each for each in made.unchanged if each not in so_far.written),
            bytes=sum(so_far.written.values()),
            seconds=SYSTEM_CLOCK.monotonic() - began,
            skipped=so_far.skipped,
        )

    def _until_alike(self, so_far: _Progress) -> Transfer[Plan]:
        """Begin anew after each fault of the link, and after a boot that may have lost files."""
        faults = 0
        while True:
            try:
                made = yield from self._once(so_far)
            except FAULTS:
                faults += 1
                if faults > MOST_FAULTS:
                    raise
                continue
            if made is not None:
                return made

    def _once(self, so_far: _Progress) -> Transfer[Plan | None]:
        """Compare both sides and make them alike; None where the device booted meanwhile."""
        root = so_far.root
        here = yield from self._here(so_far)
        so_far.skipped = here.skipped
        found = yield self._turn_of(
            so_far, partial(tree.found, root=root, manifest=_manifest(root))
        )
        boot = self.core.port.board.boot
        listing = {path: (size, time) for path, size, time in kit.listing(found.listing)}
        known = manifest.parse(found.manifest)
        made = plan(here, listing, known, so_far.options, root)
        if made.suspects:
            hashes = yield from self._hashes(so_far, list(made.suspects))
            judge(made, here, listing, known, hashes)
        if not made.changes:
            return made
        ready = yield in_background(partial(_ready, here, made, so_far.mpy), name=_THREAD)
        sizes = {path: len(data) for path, (_, data) in ready.items()}
        needed = most_needed(made, sizes, listing)
        if 0 <= found.free < needed:
            raise DeviceDiskFullError(root or "/", needed=needed, free=found.free)
        so_far.expected = sum(so_far.written.values()) + sum(sizes.values())
        so_far.parts = so_far.parts or hold_parts(self.core, root, so_far.ending)
        yield from self._find_begun(so_far, made, ready, listing)
        yield from self._make_alike(so_far, made, ready, is_new=not listing)
        return made if self.core.port.board.boot == boot else None

    def _here(self, so_far: _Progress) -> Transfer[LocalTree]:
        """Read the host's side; nothing is sent before it is known to be in order."""
        options = so_far.options
        scan = partial(local.scan, so_far.folder, options.ignore)
        if not self._has_kit:
            yield in_background(partial(scan, -1), name=_THREAD)
        there = yield self._turn_of(so_far, disks.disk)
        if not there.renames:
            raise CapabilityError("this device has no directories; write its files one by one")
        if options.mpy and so_far.mpy < 0:
            yield in_background(partial(local.check_compiler, there.mpy), name=_THREAD)
            so_far.mpy = there.mpy
        here: LocalTree = yield in_background(partial(scan, so_far.mpy), name=_THREAD)
        return here

    def _turn_of(self, so_far: _Progress, procedure: Any) -> Future[Any]:
        return self.go(so_far.root or "/", "sync", procedure)

    def _hashes(self, so_far: _Progress, paths: list[str]) -> Transfer[dict[str, tuple[int, int]]]:
        """Ask for length and hash of files, some at a time."""
        found: dict[str, tuple[int, int]] = {}
        for start in range(0, len(paths), MOST_HASHED):
            some = paths[start : start + MOST_HASHED]
            names = [f"{so_far.root}/{each}" for each in some]
            hashes = yield self._turn_of(so_far, partial(tree.all_hashed, paths=names))
            found |= zip(some, hashes, strict=True)
        return found

    def _find_begun(
        self,
        so_far: _Progress,
        made: Plan,
        ready: dict[str, tuple[LocalFile, bytes]],
        listing: Listing,
    ) -> Transfer[None]:
        """Find the files that a fault has cut short, and how far they are proved to have come.

        Those of a sync that has died get this one's names first: what is still owed for it does
        not take them away.
        """
        so_far.begun.clear()
        for part in tuple(made.remove):
            path, size = unfinished(part), listing[part][0]
            if path not in ready or path in so_far.begun or not 0 < size < len(ready[path][1]):
                continue
            hashed = partial(tree.hashed, path=f"{so_far.root}/{part}", size=size)
            there = yield self._turn_of(so_far, hashed)
            if there != (size, kit.checksum(ready[path][1][:size])):
                continue
            own = path + so_far.ending
            if part != own:
                below = f"{so_far.root}/{{}}".format
                renamed = Order(below(part), size, 0, below(own))
                try:
                    yield from self._batch(so_far, [renamed], bytearray())
                except DeviceFileError:
                    continue  # it has gone meanwhile
            so_far.begun[path] = size
            made.remove.remove(part)

    # -- carrying it out ---------------------------------------------------------------------------

    def _make_alike(
        self,
        so_far: _Progress,
        made: Plan,
        ready: dict[str, tuple[LocalFile, bytes]],
        *,
        is_new: bool,
    ) -> Transfer[None]:
        orders = _preparation(so_far.root, made, is_new=is_new)
        yield from self._write_all(so_far, made, ready, orders)
        data = manifest.render(made.entries)
        yield from self._batches(so_far, [(_manifest(so_far.root), data)], [])
        so_far.removed |= {*made.remove, *made.remove_directories} - {
            each for each in made.remove if unfinished(each)
        }

    def _write_all(
        self,
        so_far: _Progress,
        made: Plan,
        ready: dict[str, tuple[LocalFile, bytes]],
        orders: list[Order],
    ) -> Transfer[None]:
        """Write the files in as many batches as it takes; know them as they get their names."""
        so_far.tried |= {path: len(data) for path, (_, data) in ready.items()}
        targets = [(f"{so_far.root}/{path}", data) for path, (_, data) in ready.items()]
        times = yield from self._batches(so_far, targets, orders)
        for (path, (file, data)), time in zip(ready.items(), times, strict=True):
            made.entries[path] = Entry(file.origin, file.hash, len(data), time)
            so_far.written[path] = len(data)

    def _batches(
        self, so_far: _Progress, targets: list[tuple[str, bytes]], orders: list[Order]
    ) -> Transfer[list[int]]:
        """Write files, many small ones in a turn, a long one in several; return their times."""
        room = self.turn()
        times: list[int] = []
        sent = 0
        data = bytearray()
        for target, whole in targets:
            there = so_far.begun.get(target.removeprefix(f"{so_far.root}/"), 0)
            begun = Order(target + so_far.ending, there, len(whole) - there, target)
            for order in tree.pieces([begun], room):
                if len(data) + order.size > room or len(orders) >= tree.MOST_ORDERS:
                    times += yield from self._batch(so_far, orders, data)
                    sent += len(data)
                    so_far.tell(sent)
                    orders, data = [], bytearray()
                orders.append(order)
                data += whole[order.offset : order.offset + order.size]
        if orders:
            times += yield from self._batch(so_far, orders, data)
        return times

    def _batch(
        self, so_far: _Progress, orders: list[Order], data: bytearray
    ) -> Transfer[list[int]]:
        return (yield from self.batch(so_far.root or "/", "sync", orders, bytes(data)))

    @property
    def _has_kit(self) -> bool:
        board = self.core.port.board
        known = board.facts.get("disk")
        return isinstance(known, tuple) and known[0] == board.boot


def _manifest(root: str) -> str:
    return f"{root}/{manifest.NAME}"


def _preparation(root: str, made: Plan, *, is_new: bool) -> list[Order]:
    """Return what comes before the files: from now on there is no manifest."""
    below = partial("{}/{}".format, root)
    orders = [
        Order(each, 0, kit.MAKE_DIRECTORY) for each in [*above(root), root] if is_new and each
    ]
    orders.append(Order(_manifest(root), 0, kit.REMOVE))
    orders += [Order(below(each), 0, kit.REMOVE) for each in made.remove]
    orders += [Order(below(each), 0, kit.REMOVE_DIRECTORY) for each in made.remove_directories]
    orders += [Order(below(each), 0, kit.MAKE_DIRECTORY) for each in made.make_directories]
    return orders


def _ready(here: LocalTree, made: Plan, mpy: int) -> dict[str, tuple[LocalFile, bytes]]:
    """Read what is to be sent, as it is now; a file that is gone ends the sync before it begins."""
    return {path: local.contents(here.files[path], mpy) for path in made.write}
