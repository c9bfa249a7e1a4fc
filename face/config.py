"""`klemheist.toml`: names for devices, and the clocks and limits of sessions.

    [devices]
    pico = "/dev/ttyACM0"
    bench = "sim:bench"

    [session]
    call_timeout = 10.0
    budget = { memory = 8000 }

It is looked for in the working directory and in those above it.
"""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from klemheist.actors import Budget, SessionOptions
from klemheist.errors import ArgumentError

FILE: Final = "klemheist.toml"
VARIABLE: Final = "KLEMHEIST_DEVICE"
DEFAULT: Final = "sim:"
"""The embedded board: it needs no hardware."""

_OPTIONS: Final = {field.name: field.default for field in dataclasses.fields(SessionOptions)}
_BUDGET: Final = {field.name: 0 for field in dataclasses.fields(Budget)}
_WORDS: Final = {bool: "true or false", int: "a whole number", float: "a number"}


@dataclass(frozen=True, slots=True)
class Config:
    """What a `klemheist.toml` says."""

    devices: Mapping[str, str] = field(default_factory=dict)
    """URLs by name."""
    options: SessionOptions = field(default_factory=SessionOptions)

    def url(self, device: str | None) -> str:
        """Return the URL for a name or URL; without one, `$KLEMHEIST_DEVICE`'s or `sim:`."""
        wanted = device or os.environ.get(VARIABLE) or DEFAULT
        return self.devices.get(wanted, wanted)


def load(start: Path | None = None) -> Config:
    """Return the configuration of the nearest file, or the defaults where there is none.

    Raises:
        ArgumentError: it is no TOML, or has a key that means nothing; path and key are named.
    """
    where = (start or Path.cwd()).resolve()
    found = next((each / FILE for each in (where, *where.parents) if (each / FILE).is_file()), None)
    return Config() if found is None else read(found)


def read(path: Path) -> Config:
    """Return what one file says; see `load`."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArgumentError(f"{path}: {error}; correct it, or move the file away") from error
    for key in data:
        if key not in ("devices", "session"):
            raise ArgumentError(f"{path}: unknown key {key!r}; there are [devices] and [session]")
    return Config(_devices(path, data.get("devices", {})), _options(path, data.get("session", {})))


def _devices(path: Path, table: Any) -> Mapping[str, str]:
    for name, url in _table(path, "devices", table).items():
        if not isinstance(url, str):
            raise ArgumentError(f"{path}: devices.{name} is {url!r}; give a URL in quotes")
    return dict(table)


def _options(path: Path, table: Any) -> SessionOptions:
    options = dict(_table(path, "session", table))
    limits = options.pop("budget", {})
    _check(path, "session", _OPTIONS, options)
    _check(path, "session.budget", _BUDGET, limits)
    try:
        return SessionOptions(**options, budget=Budget(**limits) if limits else None)
    except ArgumentError as error:
        raise ArgumentError(f"{path}: {error}") from error


def _check(path: Path, where: str, known: Mapping[str, Any], table: Any) -> None:
    """See that all keys are known, and each value of its default's type."""
    for name, value in _table(path, where, table).items():
        if name not in known:
            told = ", ".join(known)
            raise ArgumentError(f"{path}: unknown key {where}.{name}; there are {told}")
        kind = type(known[name])
        if type(value) is not kind and not (kind is float and type(value) is int):
            raise ArgumentError(f"{path}: {where}.{name} is {value!r}; give {_WORDS[kind]}")


def _table(path: Path, name: str, table: Any) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise ArgumentError(f"{path}: {name} is {table!r}; write it as a table, [{name}]")
    return table
