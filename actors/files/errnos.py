"""What a device means by the number of an OSError; pure.

Most devices print the name beside the number. The embedded board prints numbers of its own system
library, and beside some of them the name that the number has elsewhere.
"""

from __future__ import annotations

import re
from typing import Final

from klemheist.actors.errors import (
    DeviceFileError,
    DeviceFileExistsError,
    DeviceFileNotFoundError,
    DeviceIsADirectoryError,
    DeviceNotADirectoryError,
    DeviceReadOnlyError,
)

COMMON: Final = {
    1: "EPERM",
    2: "ENOENT",
    5: "EIO",
    13: "EACCES",
    16: "EBUSY",
    17: "EEXIST",
    18: "EXDEV",
    19: "ENODEV",
    20: "ENOTDIR",
    21: "EISDIR",
    22: "EINVAL",
    28: "ENOSPC",
    30: "EROFS",
    36: "ENAMETOOLONG",
    39: "ENOTEMPTY",
}
EMBEDDED: Final = {
    2: "EACCES",
    10: "EBUSY",
    19: "EDQUOT",
    20: "EEXIST",
    28: "EINVAL",
    29: "EIO",
    31: "EISDIR",
    37: "ENAMETOOLONG",
    44: "ENOENT",
    51: "ENOSPC",
    54: "ENOTDIR",
    55: "ENOTEMPTY",
    63: "EPERM",
    69: "EROFS",
    75: "EXDEV",
}
"""WebAssembly's."""

KINDS: Final[dict[str, type[DeviceFileError]]] = {
    "ENOENT": DeviceFileNotFoundError,
    "EEXIST": DeviceFileExistsError,
    "EISDIR": DeviceIsADirectoryError,
    "ENOTDIR": DeviceNotADirectoryError,
    "EROFS": DeviceReadOnlyError,
    "EACCES": DeviceReadOnlyError,
    "EPERM": DeviceReadOnlyError,
}
WORDS: Final = {
    "ENOTEMPTY": "the directory is not empty; remove it with recursive=True",
    "ENOSPC": "no space is left on the device",
    "EBUSY": "it is in use on the device",
    "EIO": "the device cannot read or write it",
    "EINVAL": "the device does not take such a path",
    "ENAMETOOLONG": "the name is too long for the device; give a shorter one",
}
_NUMBER: Final = re.compile(r"^(?:\[Errno )?(\d+)\b")
_NAME: Final = re.compile(r"\bE[A-Z]{3,}\b")


def name_of(message: str, platform: str) -> str:
    """Return the symbolic name of an OSError's reason; empty where it has none."""
    number = _NUMBER.match(message)
    if platform == "webassembly" and number is not None:
        return EMBEDDED.get(int(number[1]), "")
    name = _NAME.search(message)
    if name is not None:
        return name[0]
    if number is not None:
        return COMMON.get(int(number[1]), "")
    return "ENOENT" if "not found" in message.lower() else ""


def error_of(path: str, message: str, platform: str) -> DeviceFileError:
    """Return the error that an OSError of the device is."""
    name = name_of(message, platform)
    kind = KINDS.get(name)
    if kind is not None:
        return kind(path, code=name)
    return DeviceFileError(path, WORDS.get(name, message), code=name)
