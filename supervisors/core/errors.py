"""What a supervisor refuses, with OTP's word for it in `code` (supervision.md 2.6 and 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from klemheist.actors.runtime.check import shown
from klemheist.transports.errors import KlemheistError

if TYPE_CHECKING:
    from collections.abc import Hashable


class SupervisorError(KlemheistError):
    """A request to a supervisor, or a specification, that cannot be met."""

    code: str = "error"
    """OTP's name for the reason."""
    advice: ClassVar[str] = "look at .code, and at the tree's snapshot()"


class ChildNotFound(SupervisorError):  # noqa: N818  named by what happened
    """No child has this id."""

    code = "not_found"


class AlreadyStarted(SupervisorError):  # noqa: N818  named by what happened
    """A child with this id runs; it is `ref`."""

    code = "already_started"

    def __init__(self, message: str, ref: Any) -> None:
        super().__init__(message)
        self.ref = ref


class AlreadyPresent(SupervisorError):  # noqa: N818  named by what happened
    """A child with this id is known, and does not run."""

    code = "already_present"


class ChildRunning(SupervisorError):  # noqa: N818  named by what happened
    """The child runs; terminate it first."""

    code = "running"


class ChildRestarting(SupervisorError):  # noqa: N818  named by what happened
    """The child is being restarted; wait, or terminate it."""

    code = "restarting"
    is_recoverable: ClassVar[bool] = True


class MaxChildren(SupervisorError):  # noqa: N818  named by what happened
    """The supervisor has as many children as it may."""

    code = "max_children"


class NotSupported(SupervisorError):  # noqa: N818  named by what happened
    """Children of a template go by their refs, and are only started and ended."""

    def __init__(self, message: str, code: str = "simple_one_for_one") -> None:
        super().__init__(message)
        self.code = code


class InitError(SupervisorError, TypeError):
    """A supervisor's `init` raised (`__cause__`), or gave back something else than its spec."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class StartError(SupervisorError):
    """A child did not start: `id` says which, `__cause__` why."""

    code = "failed_to_start_child"

    def __init__(self, id: Hashable, cause: BaseException) -> None:  # noqa: A002  the field's name
        super().__init__(f"child {id!r} did not start: {shown(cause)}")
        self.id = id
        self.cause = self.__cause__ = cause


class InvalidChildSpec(SupervisorError, ValueError):  # noqa: N818  named by what happened
    """A child specification is wrong: `code` says in what, `value` is what stood there."""

    advice: ClassVar[str] = "correct the field that the message names"

    def __init__(self, code: str, value: object, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.value = value


class InvalidFlags(InvalidChildSpec):
    """A supervisor's own settings are wrong."""
