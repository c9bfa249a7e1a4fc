"""Why an actor ended, and the two exceptions by which it says so itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from .check import refused, shown

if TYPE_CHECKING:
    from collections.abc import Hashable


@dataclass(frozen=True, slots=True, repr=False)
class ExitReason:
    """Why an actor ended (OTP's exit reason).

    `NORMAL`: it was done. `SHUTDOWN` and `shutdown(info)`: its supervisor, or whoever ordered it,
    wanted it to end. `KILLED`: it was abandoned. `NOPROC`: it was never there. `error(exc)`: it
    crashed.
    """

    kind: str
    info: object = None

    NORMAL: ClassVar[ExitReason]
    SHUTDOWN: ClassVar[ExitReason]
    KILLED: ClassVar[ExitReason]
    NOPROC: ClassVar[ExitReason]

    @staticmethod
    def shutdown(info: Hashable) -> ExitReason:
        """An ordered end that carries a word on why (OTP's `{shutdown, Info}`)."""
        return ExitReason("shutdown", info)

    @staticmethod
    def error(exc: BaseException) -> ExitReason:
        """A crash by `exc`.

        Raises:
            InvalidArgument: It is no exception.
        """
        if not isinstance(exc, BaseException):
            raise refused("exc", exc, "use an exception")
        return ExitReason("error", exc)

    @property
    def is_normal(self) -> bool:
        """Whether a transient child stays down after it: normal and the shutdown family."""
        return self.kind in ("normal", "shutdown")

    @property
    def is_abnormal(self) -> bool:
        """Whether it is a fault: a crash, a kill, nobody there."""
        return not self.is_normal

    @property
    def exception(self) -> BaseException | None:
        """What it crashed of, if it crashed."""
        return self.info if isinstance(self.info, BaseException) else None

    def __repr__(self) -> str:
        return self.kind if self.info is None else f"{{{self.kind},{shown(self.info)}}}"


ExitReason.NORMAL = ExitReason("normal")
ExitReason.SHUTDOWN = ExitReason("shutdown")
ExitReason.KILLED = ExitReason("killed")
ExitReason.NOPROC = ExitReason("noproc")


_ALLOWED: Final = "use ExitReason.NORMAL, .SHUTDOWN, .KILLED, .shutdown(info) or .error(exception)"


class Exit(Exception):  # noqa: N818  a request, as StopIteration is
    """Raise it in a handler to end with a chosen reason: `raise Exit(ExitReason.SHUTDOWN)`.

    Raises:
        InvalidArgument: `reason` is no `ExitReason`: the handler crashes of that.
    """

    def __init__(self, reason: ExitReason = ExitReason.NORMAL) -> None:
        check_reason(reason)
        super().__init__(reason)
        self.reason = reason


class Ignore(Exception):  # noqa: N818  an answer, not an error
    """Raise it in `on_start`: this child declines to start, and that is no fault (OTP's ignore)."""


def check_reason(reason: object) -> None:
    """Refuse what is no exit reason, where it is given.

    Raises:
        InvalidArgument: It says which there are.
    """
    if not isinstance(reason, ExitReason):
        raise refused("reason", reason, _ALLOWED)


def as_reason(reason: object) -> ExitReason:
    """`reason`; where one that is none came here all the same, the error that this is.

    Who supervises the actor must not die of it.
    """
    if isinstance(reason, ExitReason):
        return reason
    return ExitReason.error(refused("reason", reason, _ALLOWED))
