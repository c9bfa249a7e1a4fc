"""What a caller gives beside the code: `s.execute("get_status()", result_type=dict)` (SES-125)."""

from __future__ import annotations

from typing import Any

from klemheist.transports.repl.values import ArgumentError, ResultTypeError


def check_type(result_type: object) -> None:
    """See that a result can be told to be of this type, before anything is sent.

    Raises:
        ArgumentError: it is no class.
    """
    if result_type is not None and not isinstance(result_type, type):
        raise ArgumentError(f"result_type={result_type!r}: give a class, such as dict, or None")


def check_callback(option: str, callback: object) -> None:
    """See that what is to be called can be, before anything is sent.

    Args:
        option: what errors call it.
        callback: a function, or None.

    Raises:
        ArgumentError: it is neither.
    """
    if callback is not None and not callable(callback):
        raise ArgumentError(f"{option}={callback!r}: give a function, such as print, or None")


def check_function(option: str, function: object) -> None:
    """See that what has to be a function can be called.

    Raises:
        ArgumentError: it cannot.
    """
    if not callable(function):
        raise ArgumentError(f"{option}={function!r}: give a function")


def check_flag(option: str, flag: object) -> None:
    """See that what is to be yes or no is one of them: any text would be a yes.

    Raises:
        ArgumentError: it is neither.
    """
    if not isinstance(flag, bool):
        raise ArgumentError(f"{option}={flag!r}: give True or False")


def check_text(option: str, text: object) -> None:
    """See that a name is one.

    Raises:
        ArgumentError: it is no text, or empty.
    """
    if not isinstance(text, str) or not text:
        raise ArgumentError(f"{option}={text!r}: give a text")


def typed(value: Any, result_type: type[Any] | None) -> Any:
    """Return a result that is of the type that was asked for.

    Raises:
        ResultTypeError: it is of another.
    """
    if result_type is None or isinstance(value, result_type):
        return value
    raise ResultTypeError(
        f"the result is of type {type(value).__name__}, not {result_type.__name__}; "
        "the code has run: ask for that type, or let the code return this one"
    )
