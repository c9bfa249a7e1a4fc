"""Unknown options are refused as bad values are: by a typed error that says which there are."""

from __future__ import annotations

import inspect
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from .errors import InvalidChildSpec

P = ParamSpec("P")
R = TypeVar("R")


def known_only(
    refusal: type[InvalidChildSpec], code: str
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a function refuse keywords that it does not know, with `refusal`, first of all.

    Python's own `TypeError` is no `KlemheistError`, and does not say what is allowed.
    """

    def decorate(fn: Callable[P, R]) -> Callable[P, R]:
        parameters = inspect.signature(fn).parameters.values()
        by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        known = {each.name: None for each in parameters if each.kind in by_name}

        @wraps(fn)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            for name, value in kwargs.items():
                if name not in known:
                    shown = (each for each in known if each != "self" and not each.startswith("_"))
                    message = f"{name}={value!r} is unknown; use {', '.join(shown)}"
                    raise refusal(code, name, message)
            return fn(*args, **kwargs)

        return checked

    return decorate
