"""`ls`, `cat`, `cp`, `rm`, `mkdir`, `touch` and `sync`: `:path` is on the device."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path, PurePath, PurePosixPath
from posixpath import basename, normpath

from klemheist import ArgumentError, DeviceFileError, DeviceFileNotFoundError

from .progress import Bar
from .stay import Stay, show


def ls(stay: Stay, args: Namespace) -> int:
    """List directories of the device as mpremote does."""
    for path in args.path:
        for info in stay.session.files.list(remote(path)):
            print(f"{info.size:12d} {info.name}{'/' if info.is_dir else ''}")
    return 0


def cat(stay: Stay, args: Namespace) -> int:
    """Show files of the device, byte for byte."""
    for path in args.path:
        show(stay.session.files.read(remote(path)))
    return 0


def rm(stay: Stay, args: Namespace) -> int:
    """Remove files of the device."""
    for path in args.path:
        try:
            stay.session.files.remove(remote(path), recursive=args.recursive)
        except DeviceFileError as error:
            if error.code != "ENOTEMPTY" or args.recursive:
                raise
            raise ArgumentError(f"rm: {path} is not empty; remove it with -r") from error
    return 0


def mkdir(stay: Stay, args: Namespace) -> int:
    """Make directories on the device."""
    for path in args.path:
        try:
            stay.session.files.mkdir(remote(path), parents=args.parents, exist_ok=args.parents)
        except DeviceFileNotFoundError as error:
            above = f"mkdir: the directory above {path} is not there; make it too with -p"
            raise ArgumentError(above) from error
    return 0


def touch(stay: Stay, args: Namespace) -> int:
    """Make empty files on the device, where there are none."""
    files = stay.session.files
    for path in map(remote, args.path):
        if not files.exists(path):
            files.write(path, b"")
    return 0


def sync(stay: Stay, args: Namespace) -> int:
    """Make a folder of the device hold what one of the host holds."""
    with Bar(args.folder) as bar:
        done = stay.session.files.sync(
            args.folder,
            remote(args.target),
            mirror=args.mirror,
            keep=args.keep,
            ignore=args.ignore,
            verify=args.verify,
            mpy=args.mpy,
            on_progress=bar,
        )
    stay.note_files()
    for sign, paths in (("+", done.written), ("-", done.removed)):
        for path in paths:
            print(sign, path)
    for path in done.skipped:
        print(f"{path} is skipped: it is neither a file nor a folder")
    print(
        f"{len(done.written)} written, {len(done.removed)} removed, {len(done.unchanged)} "
        f"unchanged; {done.bytes} bytes in {done.seconds:.2f} s"
    )
    return 0


def cp(stay: Stay, args: Namespace) -> int:
    """Copy between here and the device, in either direction or on the device."""
    *sources, target = args.path
    if not sources:
        raise ArgumentError("cp needs a source and a target, as in: cp main.py :")
    if not any(path.startswith(":") for path in args.path):
        raise ArgumentError("cp: nothing is on the device; write its paths with a colon, :main.py")
    inside = _is_directory(stay, target)
    if not inside and (len(sources) > 1 or target.endswith("/")):
        _check_new(stay, sources, target, recursive=args.recursive)
    for source in sources:
        name = basename(remote(source).rstrip("/")) if inside else ""
        _copy(stay, source, _joined(target, name), recursive=args.recursive)
    if target.startswith(":"):
        stay.note_files()
    return 0


def _check_new(stay: Stay, sources: list[str], target: str, *, recursive: bool) -> None:
    """Only one directory may become a target that is not there, as mpremote has it."""
    if len(sources) > 1 or not recursive or not _is_directory(stay, sources[0]):
        raise ArgumentError(f"cp: {target} is no directory; make it first with mkdir")


def _copy(stay: Stay, source: str, target: str, *, recursive: bool) -> None:
    if not _is_directory(stay, source):
        _put(stay, target, _get(stay, source))
        return
    if not recursive:
        raise ArgumentError(f"cp: {source} is a directory; copy it with -r")
    if _is_within(target, source):
        raise ArgumentError(f"cp: {source} cannot be copied into itself; give a place outside it")
    _make(stay, target)
    for name in _names(stay, source):
        _copy(stay, _joined(source, name), _joined(target, name), recursive=True)


def _make(stay: Stay, path: str) -> None:
    if not path.startswith(":"):
        Path(path).mkdir(exist_ok=True)
    elif place := remote(path).rstrip("/"):
        stay.session.files.mkdir(place, exist_ok=True)


def _names(stay: Stay, path: str) -> list[str]:
    if not path.startswith(":"):
        return sorted(each.name for each in Path(path).iterdir())
    names = [info.name for info in stay.session.files.list(remote(path))]
    for name in names:
        if name in ("", "..") or Path(name).name != name:  # it would be written elsewhere here
            raise ArgumentError(f"cp: {path} holds {name!r}, which is no name of a file")
    return names


def _is_within(path: str, directory: str) -> bool:
    """Whether a path is a directory or lies below it, both on the same side."""
    if path.startswith(":") != directory.startswith(":"):
        return False
    below, above = map(_resolved, (path, directory))
    return below.is_relative_to(above)


def _resolved(path: str) -> PurePath:
    if not path.startswith(":"):
        return Path(path).resolve()
    return PurePosixPath(normpath("/" + remote(path).lstrip("/")))


def remote(path: str) -> str:
    """Return a path on the device, with or without its colon; a colon alone is the root."""
    return path.removeprefix(":") or "/"


def _joined(target: str, name: str) -> str:
    if not name:
        return target
    return target + name if target.endswith(("/", ":")) else f"{target}/{name}"


def _is_directory(stay: Stay, path: str) -> bool:
    """Whether it is there, and a directory; a slash at its end says nothing of that."""
    if not path.startswith(":"):
        return Path(path).is_dir()
    place = remote(path).rstrip("/")
    try:
        return not place or stay.session.files.stat(place).is_dir
    except DeviceFileNotFoundError:
        return False


def _get(stay: Stay, path: str) -> bytes:
    if not path.startswith(":"):
        return Path(path).read_bytes()
    with Bar(path) as bar:
        return stay.session.files.read(remote(path), on_progress=bar)


def _put(stay: Stay, path: str, data: bytes) -> None:
    if not path.startswith(":"):
        Path(path).write_bytes(data)
        return
    with Bar(path) as bar:
        stay.session.files.write(remote(path), data, on_progress=bar)
