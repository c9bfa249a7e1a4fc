"""Whether a child's specification is right: the first field that is not is told."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import pykka

from klemheist.actors.runtime.check import is_seconds, shown

from .backoff import Backoff
from .errors import InvalidChildSpec
from .flags import BRUTAL_KILL, ChildType, Directive, Restart

if TYPE_CHECKING:
    from .child import ChildSpec

MESSAGES: Final = ("discard", "keep")


def checked_fields(spec: ChildSpec) -> dict[str, Any]:
    """The fields that a spec holds in another form than it was given, each of them checked.

    Raises:
        InvalidChildSpec: For the first field that is wrong, in OTP's order.
    """
    _identity(spec)
    restart = one_of(Restart, "restart", spec.restart, "invalid_restart_type")
    _significance(spec, restart)
    kind = spec.type
    if kind is not None:
        kind = one_of(ChildType, "type", kind, "invalid_child_type")
    _times(spec)
    if spec.on_restart_messages not in MESSAGES:
        raise wrong("on_restart_messages", spec.on_restart_messages, "use 'discard' or 'keep'")
    if spec.keeps_messages and class_of(spec.start) is None:
        pair = {"start": spec.start, "on_restart_messages": spec.on_restart_messages}
        advice = "an actor that a factory made takes none of an earlier one; give the class"
        raise wrong("on_restart_messages", pair, advice, code="bad_combination")
    return {
        "args": tuple(spec.args),
        "restart": restart,
        "type": kind,
        "on_error": _directives(spec.on_error),
    }


def class_of(start: object) -> type[pykka.Actor] | None:
    """The actor class that `start` is, or whose bound `start` it is; None for a factory."""
    if isinstance(start, type) and issubclass(start, pykka.Actor):
        return start
    owner = getattr(start, "__self__", None)
    bound = getattr(start, "__name__", "") in ("start", "start_with")
    if bound and isinstance(owner, type) and getattr(owner, "is_supervisor", False):
        return owner
    return None


def one_of(kind: type[StrEnum], name: str, value: object, code: str) -> Any:
    """The member of `kind` that `value` is or names.

    Raises:
        InvalidChildSpec: None of them, with `code`.
    """
    try:
        return kind(value)  # type: ignore[arg-type]  # what it is, is being checked
    except ValueError:
        raise wrong(name, value, f"use one of {', '.join(kind)}", code=code) from None


def wrong(name: str, value: object, advice: str, *, code: str | None = None) -> InvalidChildSpec:
    """The error that says what `name` was and what it may be, in one line."""
    return InvalidChildSpec(code or f"invalid_{name}", value, f"{name}={shown(value)}: {advice}")


def is_hashable(value: object) -> bool:
    """Whether `value` can be an id: a tuple of lists, for one, only looks as if it could."""
    try:
        hash(value)
    except Exception:  # noqa: BLE001  somebody's __hash__
        return False
    return True


def _identity(spec: ChildSpec) -> None:
    if spec.id is None:
        raise wrong("id", spec.id, "give the child an id", code="missing_id")
    if spec.start is None:
        raise wrong("start", spec.start, "give the child a class or factory", code="missing_start")
    if not is_hashable(spec.id):
        raise wrong("id", spec.id, "use something hashable", code="invalid_name")
    is_factory = callable(spec.start) and not isinstance(spec.start, type)
    if class_of(spec.start) is None and not is_factory:
        advice = "use an actor class, or a factory that returns an actor's ref"
        raise wrong("start", spec.start, advice, code="invalid_mfa")
    args: object = spec.args
    kwargs: object = spec.kwargs
    named = isinstance(kwargs, Mapping) and all(isinstance(key, str) for key in kwargs)
    if not (named and isinstance(args, (tuple, list))):
        value = (args, kwargs)
        raise wrong("args", value, "use a tuple of args and a dict of kwargs", code="invalid_mfa")


def _significance(spec: ChildSpec, restart: Restart) -> None:
    significant: object = spec.significant
    if not isinstance(significant, bool):
        raise wrong("significant", significant, "use True or False")
    if significant and restart is Restart.PERMANENT:
        pair = {"restart": str(restart), "significant": True}
        advice = "a permanent child is never significant"
        raise wrong("significant", pair, advice, code="bad_combination")


def _times(spec: ChildSpec) -> None:
    if not (spec.shutdown is None or spec.shutdown is BRUTAL_KILL or is_seconds(spec.shutdown)):
        raise wrong("shutdown", spec.shutdown, "use seconds, INFINITY or BRUTAL_KILL")
    if not (spec.backoff is None or isinstance(spec.backoff, Backoff)):
        raise wrong("backoff", spec.backoff, "use a Backoff")
    limit = spec.start_timeout
    if not (limit is None or (is_seconds(limit) and limit > 0)):
        raise wrong("start_timeout", limit, "use seconds above 0, or None")


def _directives(given: object) -> dict[type[BaseException], Directive]:
    advice = "use a dict of exception class to Directive"
    if not isinstance(given, Mapping):
        raise wrong("on_error", given, advice)
    for key in given:
        if not (isinstance(key, type) and issubclass(key, BaseException)):
            raise wrong("on_error", key, advice)
    return {
        key: one_of(Directive, "on_error", value, "invalid_on_error")
        for key, value in given.items()
    }
