"""Options that are unknown, missing or too many are refused as bad values are: by a typed error."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeAlias, TypeVar

from klemheist.actors.runtime.check import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .errors import InvalidChildSpec

P = ParamSpec("P")
R = TypeVar("R")

_CODES = {"cls": "missing_start"}
"""OTP's word, where the parameter has another name."""
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)

Fault: TypeAlias = tuple[str | None, object, str]
"""A code, or None for the general one; the value; and a line on it."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a function takes."""

    known: Mapping[str, None]
    """The names, in their order."""
    places: tuple[str, ...]
    """The names of those that may be given without their names."""
    needed: tuple[str, ...]
    takes_more: bool
    """Whether it passes on the names that it does not know."""
    takes_any_number: bool

    def shown(self) -> str:
        """The names, for people."""
        return ", ".join(each for each in self.known if each != "self" and each[0] != "_")

    def fault(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Fault | None:
        """What is wrong with the first option that does not fit."""
        if not (self.takes_more or kwargs.keys() <= self.known.keys()):
            name = next(each for each in kwargs if each not in self.known)
            return None, name, f"{name}={shown(kwargs[name])} is unknown; use {self.shown()}"
        if len(args) > len(self.places) and not self.takes_any_number:
            value = args[len(self.places)]
            return None, value, f"{shown(value)} has no name; use {self.shown()}"
        for name in self.needed:
            if name not in kwargs and name not in self.places[: len(args)]:
                return (
                    _CODES.get(name, f"missing_{name}"),
                    None,
                    f"{name} is missing: it must be given",
                )
        return None


def options_of(fn: Callable[..., object]) -> Options:
    """What `fn` takes."""
    every = inspect.signature(fn).parameters.values()
    kinds = {each.kind for each in every}
    return Options(
        known={each.name: None for each in every if each.kind in _BY_NAME},
        places=tuple(each.name for each in every if each.kind in _POSITIONAL),
        needed=tuple(
            each.name
            for each in every
            if each.default is each.empty and each.kind in {*_POSITIONAL, *_BY_NAME}
        ),
        takes_more=inspect.Parameter.VAR_KEYWORD in kinds,
        takes_any_number=inspect.Parameter.VAR_POSITIONAL in kinds,
    )


def known_only(
    refusal: type[InvalidChildSpec], code: str
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a function refuse options that do not fit it, with `refusal`, first of all.

    Python's own `TypeError` is no `KlemheistError`, and does not say what is allowed.
    """

    def decorate(fn: Callable[P, R]) -> Callable[P, R]:
        options = options_of(fn)

        @wraps(fn)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            fault = options.fault(args, kwargs)
            if fault is not None:
                its_code, value, message = fault
                raise refusal(its_code or code, value, message)
            return fn(*args, **kwargs)

        return checked

    return decorate
