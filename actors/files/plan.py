"""What a sync has to do, decided from what both sides have; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from posixpath import dirname
from secrets import token_hex
from typing import Final

from klemheist.actors.errors import (
    DeviceIsADirectoryError,
    DeviceNotADirectoryError,
    PathError,
)
from klemheist.transports.repl.values import ArgumentError

from . import manifest
from .kit import DIRECTORY_SIZE
from .local import LocalFile, LocalTree, matches
from .manifest import Entry

IGNORED: Final = ("__pycache__", "*.pyc", ".*")
"""What is left out on the host, unless `ignore` says otherwise."""
KEPT_AT_ROOT: Final = ("boot.py", "webrepl_cfg.py", "lib")
"""What `mirror` leaves alone at the device's root, unless `keep` says otherwise."""
_PART: Final = re.compile(r"\.k[0-9a-f]{6}~\Z")

Listing = Mapping[str, tuple[int, int]]
"""Size and time by path below the root; `DIRECTORY_SIZE` for a directory."""


def _patterns(option: str, given: Sequence[str]) -> tuple[str, ...]:
    found = (given,) if isinstance(given, str) else given
    if not isinstance(found, Iterable) or not all(isinstance(each, str) for each in found):
        raise ArgumentError(f"{option}={given!r}: give a pattern, or a list of patterns, as text")
    return tuple(each.rstrip("/") for each in found)


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """How a sync is done; `Files.sync` says what each is."""

    mirror: bool = False
    keep: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = IGNORED
    verify: bool = False
    mpy: bool = False

    @classmethod
    def of(
        cls,
        *,
        mirror: bool,
        keep: Sequence[str] | None,
        ignore: Sequence[str] | None,
        verify: bool,
        mpy: bool,
    ) -> SyncOptions:
        """Make them of what the caller gave.

        Raises:
            ArgumentError: patterns that are no text.
        """
        return cls(
            mirror,
            None if keep is None else _patterns("keep", keep),
            IGNORED if ignore is None else _patterns("ignore", ignore),
            verify,
            mpy,
        )

    def kept(self, root: str) -> tuple[str, ...]:
        """Return the patterns of what `mirror` leaves alone."""
        if self.keep is not None:
            return self.keep
        return () if root else KEPT_AT_ROOT


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What a sync has done; paths are below its root."""

    written: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: tuple[str, ...]
    bytes: int
    """Bytes of the files that were written."""
    seconds: float
    skipped: tuple[str, ...] = ()
    """What is neither a file nor a folder on the host, such as a FIFO or a link to nothing."""


@dataclass(slots=True)
class Plan:
    """What is to be done."""

    write: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    suspects: dict[str, tuple[int, int] | None] = field(default_factory=dict)
    """What must be compared by hash: size and hash that the device's file should have."""
    remove: list[str] = field(default_factory=list)
    remove_directories: list[str] = field(default_factory=list)
    """Those below first."""
    make_directories: list[str] = field(default_factory=list)
    """Those above first."""
    entries: dict[str, Entry] = field(default_factory=dict)
    """What is known of the device's files: the next manifest."""
    outdated: bool = False
    """The manifest must be written anew in any case."""

    @property
    def changes(self) -> bool:
        """Whether anything is to be changed on the device."""
        return bool(
            self.write
            or self.remove
            or self.remove_directories
            or self.make_directories
            or self.outdated
        )


def part_ending() -> str:
    """Return the end of the names of files that one sync has not finished; no two have the same."""
    return f".k{token_hex(3)}~"


def unfinished(path: str) -> str:
    """Return the path of the file that a sync began as this one; empty where it is no such part."""
    found = _PART.search(path)
    return path[: found.start()] if found is not None else ""


def rooted(remote: str) -> str:
    """Return a root as an absolute path without a slash at its end: the root itself is empty.

    Raises:
        PathError: it goes up.
    """
    parts = [each for each in remote.split("/") if each not in ("", ".")]
    if ".." in parts:
        raise PathError(f"{remote}: a sync stays below its root; give a path without ..")
    return "".join(f"/{each}" for each in parts)


def plan(
    local: LocalTree, listing: Listing, known: dict[str, Entry], options: SyncOptions, root: str
) -> Plan:
    """Decide what is to be done.

    Args:
        local: what the host has.
        listing: what the device has.
        known: what the manifest says.
        options: how it is done.
        root: where on the device; for what `mirror` keeps there.

    Raises:
        DeviceIsADirectoryError, DeviceNotADirectoryError: one side has a file where the other has a
            directory, and `mirror` does not allow to remove it.
    """
    made = Plan()
    for path, file in sorted(local.files.items()):
        _decide(made, file, listing.get(path), known.get(path), verify=options.verify)
    made.make_directories = sorted(
        each for each in local.directories if listing.get(each, (0,))[0] != DIRECTORY_SIZE
    )
    _removals(made, local, listing, options, root)
    gone = {*made.remove, *made.remove_directories}
    _check_kinds(local, listing, gone, root)
    for path, entry in known.items():
        if path in local.files or path in gone:
            continue
        if path in listing:
            made.entries[path] = entry
        else:
            made.outdated = True
    return made


def _decide(
    made: Plan,
    file: LocalFile,
    there: tuple[int, int] | None,
    entry: Entry | None,
    *,
    verify: bool,
) -> None:
    path = file.path
    same_origin = entry is not None and entry.origin == file.origin
    if there is None or there[0] == DIRECTORY_SIZE:
        made.write.append(path)
    elif entry is not None and same_origin and there == (entry.size, entry.time) and not verify:
        made.unchanged.append(path)
        made.entries[path] = entry
    elif entry is not None and same_origin and there[0] == entry.size:
        made.suspects[path] = (entry.size, entry.hash)
    elif file.size == there[0]:
        made.suspects[path] = (file.size, file.hash)
    else:
        made.write.append(path)


def judge(
    made: Plan,
    local: LocalTree,
    listing: Listing,
    known: dict[str, Entry],
    found: dict[str, tuple[int, int]],
) -> None:
    """Decide about the suspects, now that their lengths and hashes are known."""
    for path, expected in made.suspects.items():
        if found[path] != expected:
            made.write.append(path)
            continue
        size, time = listing[path]
        entry = Entry(local.files[path].origin, found[path][1], size, time)
        made.unchanged.append(path)
        made.entries[path] = entry
        made.outdated |= known.get(path) != entry
    made.write.sort()
    made.unchanged.sort()


def _removals(
    made: Plan, local: LocalTree, listing: Listing, options: SyncOptions, root: str
) -> None:
    """Remove unfinished parts in any case, compiled sources, and with `mirror` all the rest."""
    kept = options.kept(root)
    stay: set[str] = set(local.directories)
    for path, (size, _) in listing.items():
        if size == DIRECTORY_SIZE or path == manifest.NAME:
            continue
        is_source = f"{path.removesuffix('.py')}.mpy" in local.files and path.endswith(".py")
        is_extra = path not in local.files and (options.mirror and not matches(path, kept))
        if unfinished(path) or is_source or is_extra:
            made.remove.append(path)
        else:
            while path := dirname(path):
                stay.add(path)
    made.remove.sort()
    if options.mirror:
        made.remove_directories = sorted(
            (
                path
                for path, (size, _) in listing.items()
                if size == DIRECTORY_SIZE and path not in stay and not matches(path, kept)
            ),
            reverse=True,
        )


def _check_kinds(local: LocalTree, listing: Listing, gone: set[str], root: str) -> None:
    for path in local.files:
        if listing.get(path, (0,))[0] == DIRECTORY_SIZE and path not in gone:
            raise DeviceIsADirectoryError(f"{root}/{path}")
    for path in local.directories:
        if listing.get(path, (DIRECTORY_SIZE,))[0] != DIRECTORY_SIZE and path not in gone:
            raise DeviceNotADirectoryError(f"{root}/{path}")


def most_needed(made: Plan, sizes: Mapping[str, int], listing: Listing) -> int:
    """Return the bytes that must be free: each file is written before the old one goes."""
    used = -sum(max(listing[each][0], 0) for each in made.remove)
    most = 0
    for path in made.write:
        used += max(sizes[path], 0)
        most = max(most, used)
        used -= max(listing.get(path, (0, 0))[0], 0)
    return most
