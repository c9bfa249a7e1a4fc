"""Expressions over objects of the device: composed here, evaluated there, in one call each."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from klemheist.actors.errors import (
    DeviceAttributeError,
    DeviceError,
    DeviceIndexError,
    DeviceKeyError,
    DeviceTypeError,
)
from klemheist.actors.runtime.future import Future
from klemheist.actors.sources import check_syntax, is_expression
from klemheist.transports.repl.install import complete
from klemheist.transports.repl.lines import Procedure
from klemheist.transports.repl.procedures import evaluated, executed
from klemheist.transports.repl.values import (
    ArgumentError,
    encode,
    encode_arguments,
    needs_decoder,
)

from . import objects_remote as remote
from .answers import value_of
from .namespace import encoded
from .remote import Passed

if TYPE_CHECKING:
    from klemheist.transports.repl.board import Board
    from klemheist.transports.repl.frames import Frame

    from .objects import Handle
    from .task_calls import TaskCalls

_BUILTIN: Final[Mapping[str, type[DeviceError]]] = {
    "AttributeError": DeviceAttributeError,
    "KeyError": DeviceKeyError,
    "IndexError": DeviceIndexError,
    "TypeError": DeviceTypeError,
}


class Held(NamedTuple):
    """An object that the device holds for us, instead of a value."""

    handle: Handle
    kind: str
    """The name of its type there."""


END: Final = object()
"""Stands for a value where an iteration came to its end."""


class Expression:
    """An expression over held objects, in the agent's own namespace; nothing is sent by itself."""

    __slots__ = ("core", "handles", "hold", "kind", "text")

    def __init__(
        self,
        core: TaskCalls,
        text: str,
        handles: tuple[Handle, ...],
        kind: str = "",
        hold: object = None,
    ) -> None:
        self.core = core
        self.text = text
        self.handles = handles
        self.kind = kind
        self.hold = hold
        """Keeps the session from counting as dropped while it is in use."""

    @classmethod
    def of(cls, core: TaskCalls, held: Held, hold: object) -> Expression:
        """Return the expression that is an object itself."""
        text = f"PO[{core.namespace.number}][{held.handle.number}]"
        return cls(core, text, (held.handle,), held.kind, hold)

    def __repr__(self) -> str:
        return f"<proxy {self.kind or self.text} of session {self.core.session_id}>"

    # -- longer ones -------------------------------------------------------------------------------

    def attribute(self, name: str) -> Expression:
        """Return the expression of an attribute."""
        return self._longer(f"{self.text}.{_name(name)}")

    def item(self, key: object) -> Expression:
        """Return the expression of an item, or of a slice."""
        if isinstance(key, slice):
            parts = [key.start, key.stop, *([key.step] if key.step is not None else [])]
            said = [("" if part is None else self._said(part, "slice")) for part in parts]
            return self._longer(f"{self.text}[{':'.join(said)}]", *parts)
        return self._longer(f"{self.text}[{self._said(key, 'key')}]", key)

    def called(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Expression:
        """Return the expression of a call."""
        said = [self._said(each, f"argument {number}") for number, each in enumerate(args, 1)]
        said += [f"{_name(name)}={self._said(each, name)}" for name, each in kwargs.items()]
        return self._longer(f"{self.text}({','.join(said)})", *args, *kwargs.values())

    def formatted(self, form: str, *others: object) -> Expression:
        """Return an expression with this one, and others, in the places of `form`."""
        said = [self._said(each, "operand") for each in others]
        return self._longer(form.format(self.text, *said), *others)

    def _longer(self, text: str, *others: object) -> Expression:
        handles = [each for other in others for each in _handles(other)]
        return Expression(self.core, text, (*self.handles, *handles), hold=self.hold)

    def _said(self, value: object, where: str) -> str:
        """Return a value as source; a proxy as the object that it stands for."""
        expression = _expression(value)
        if expression is None:
            return encode(value, single=self.core.port.board.single, where=where)
        if expression.core is not self.core:
            raise ArgumentError(f"{where}: a proxy of another session cannot be sent to this one")
        return expression.text

    # -- what is done with them --------------------------------------------------------------------

    def value(self) -> Future[Any]:
        """Evaluate it: what a literal can say, or a `Held`."""
        return self._submit(lambda board: self._value(board, "PK"))

    def following(self) -> Future[Any]:
        """Evaluate the next one of an iterator, as `value`, or `END`."""
        step = self.formatted("next({})")
        return step._submit(step._following)  # noqa: SLF001 -- of the same class

    def literal(self) -> Future[Any]:
        """Evaluate it: what a literal can say.

        Raises (in the future):
            ResultTypeError: no literal can.
        """
        return self._submit(lambda board: self._evaluated(board, self.text))

    def held(self) -> Future[Any]:
        """Evaluate it, and hold the object, whatever it is."""
        return self._submit(lambda board: self._value(board, "PH"))

    def assign(self, value: object) -> Future[None]:
        """Make it the name of a value: of an attribute, or an item."""
        other = self._longer(f"{self.text}={self._said(value, 'value')}", value)
        return other._submit(other._executed)  # noqa: SLF001 -- of the same class

    def delete(self) -> Future[None]:
        """Delete an attribute, or an item."""
        other = self._longer(f"del {self.text}")
        return other._submit(other._executed)  # noqa: SLF001 -- of the same class

    def _submit(self, procedure: Callable[[Board], Procedure[Any]]) -> Future[Any]:
        self.core.objects.hold()
        return self.core.submit(lambda board: self._checked(board, procedure), label="a proxy")

    # -- on the device's turn ----------------------------------------------------------------------

    def between_parentheses(self, board: Board) -> Procedure[str]:
        """Return the arguments of a call, the objects among them being there.

        Raises:
            StaleHandle: one is not.
        """
        for handle in self.handles:
            handle.check(board)
        if needs_decoder(self.text):
            yield from complete(board)
        return self.text[1:-1]

    def _checked(
        self, board: Board, procedure: Callable[[Board], Procedure[Any]]
    ) -> Procedure[Any]:
        for handle in self.handles:
            handle.check(board)
        yield from self.core.namespace.ready(board, heavy=True)
        yield from remote.helped(board, remote.PROXIES)  # the decoder comes with them
        try:
            return (yield from procedure(board))
        except DeviceError as error:
            builtin = _BUILTIN.get(error.kind)
            if builtin is None:
                raise
            raise builtin(error.kind, error.message, traceback=error.traceback) from None

    def _following(self, board: Board) -> Procedure[object]:
        try:
            return (yield from self._value(board, "PK"))
        except DeviceError as error:
            if error.kind == "StopIteration":
                return END
            raise

    def _value(self, board: Board, keep: str) -> Procedure[object]:
        handle = self.core.objects.for_object(board)  # held by now, whatever comes
        space = self.core.namespace.number
        answer = yield from remote.kept(board, keep, space, handle.number, self.text)
        found = yield from self._told(board, answer)
        if isinstance(found, tuple):
            handle.forget()
            return found[0]
        return Held(handle, str(found))

    def _evaluated(self, board: Board, code: str) -> Procedure[object]:
        answer = yield from evaluated(board, code)
        return (yield from self._told(board, answer))

    def _executed(self, board: Board) -> Procedure[object]:
        answer = yield from executed(board, self.text)
        return (yield from self._told(board, answer))

    def _told(self, board: Board, answer: tuple[Frame, bytes]) -> Procedure[object]:
        return (yield from value_of(board, answer, self.core.namespace.tracer))


class Root(Expression):
    """An expression of the session's own namespace, to be held."""

    __slots__ = ()

    def _value(self, board: Board, keep: str) -> Procedure[object]:
        """Evaluate it by itself, not within an expression of ours: a small stack is deep enough."""
        numbers = self.core.namespace.numbers
        entry = numbers.entry()
        try:
            yield from self.core.namespace.take(board, self.text, entry)
            taken = Expression(self.core, f"G.pop({entry})", ())
            return (yield from taken._value(board, keep))  # noqa: SLF001 -- of its base class
        finally:
            numbers.free_entries.append(entry)


class HasExpression:
    """What stands for an expression: a proxy."""

    __slots__ = ("_expression",)

    _expression: Expression


def root(core: TaskCalls, code: str) -> Expression:
    """Return what an expression of the session's namespace gives, to be held.

    Raises:
        CodeSyntaxError: it is no Python.
        ArgumentError: it is no expression.
    """
    check_syntax(code)
    if not is_expression(code):
        raise ArgumentError(f"{code!r} is no expression; execute it, then take a proxy of a name")
    return Root(core, code.strip(), ())


def passed_to(
    core: TaskCalls, args: tuple[object, ...], kwargs: Mapping[str, object]
) -> Passed | None:
    """Return what says the arguments of a call; None where literals alone say it.

    Raises:
        ArgumentError: an argument cannot be sent, or is a proxy of another session.
    """
    if not any(isinstance(each, HasExpression) for each in (*args, *kwargs.values())):
        encode_arguments(args, kwargs)
        return None
    return Expression(core, "", ()).called(args, kwargs).between_parentheses


def said_by(core: TaskCalls, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Passed:
    """Return what says the arguments of a call; see `passed_to`."""
    return passed_to(core, args, kwargs) or (lambda board: encoded(board, args, kwargs))


def _name(name: str) -> str:
    if not name.isidentifier() or keyword.iskeyword(name):
        raise ArgumentError(f"{name!r} is no name; an attribute or a keyword needs one")
    return name


def _expression(value: object) -> Expression | None:
    return value._expression if isinstance(value, HasExpression) else None  # noqa: SLF001


def _handles(value: object) -> tuple[Handle, ...]:
    found = _expression(value)
    return () if found is None else found.handles
