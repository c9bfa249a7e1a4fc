"""Values on the wire: the text form of arguments and results (DESIGN 4, Values).

The text is a Python expression made of literals and three names: `F(bits)` is a float (64 bits; to
a single-precision port its own 32), `f(bits)` a single, `C(bits, bits)` (from a single-precision
port `c(…)`) a complex number. So every float arrives bit for bit, though MicroPython prints no more
than six digits on some ports.

    encode([1, 0.1])                     ->  '[1,F(0x3fb999999999999a)]'
    decode('[1,F(0x3fb999999999999a)]')  ->  [1, 0.1]

Everything here is pure. The device's halves stand in `device_values.py`.
"""

from __future__ import annotations

import ast
import json
import re
import struct
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from klemheist.transports.errors import KlemheistError

from .syntax import parsed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

MAX_DEPTH: Final = 50
"""Containers within containers that travel: far above real data, below every parser's limit."""

_WHOLE: Final = 2.0**24
"""Up to here a whole float is exact in a single, and the parsers of all ports read it exactly."""

_WIDE_INT: Final = 2**63
"""From here on hex: Python bounds the decimal digits of an int, and devices parse hex faster."""

_KINDS: Final = "None, bool, int, float, complex, str, bytes, tuple, list, dict and set"


class ArgumentError(KlemheistError, TypeError):
    """An argument cannot be sent, or an option is wrong; nothing was done."""

    advice = "give what the message says: it names the argument, and what is right for it"


class ResultTypeError(KlemheistError, TypeError):
    """The code on the device ran, and its result is nothing that a literal can say."""

    advice = f"return only {_KINDS}, for example str(value)"


# --- to the device -------------------------------------------------------------------------------


def encode(value: object, *, single: bool = False, where: str = "argument") -> str:
    r"""Return the wire text of one value for the device: printable ASCII on one line.

    Types are taken exactly: an instance of a subclass (an `IntEnum`, a namedtuple, a defaultdict)
    is refused, since the device would get another type than was sent. The one subclass among the
    literals themselves, bool, stays a bool. Strings may hold any code point, lone surrogates too.

    Args:
        value: what literals can say, at most `MAX_DEPTH` containers deep, without cycles.
        single: the port has 32-bit floats; a float travels as the nearest single.
        where: what the error calls this value.

    Raises:
        ArgumentError: naming the type and where it stands; or a float beyond the singles.
    """
    kind = type(value)
    if kind is str or kind is bytes:
        return ascii(value)
    if kind is int or kind is bool or value is None:
        return _integer(value) if kind is int else repr(value)
    if is_plain(value):
        text = repr(value)
        return text if "'" in text or '"' in text else text.replace(" ", "")
    return _Encoder(single=single).text(value, (where,), ())


def needs_decoder(text: str) -> bool:
    """Return whether encoded arguments may call `F` or `C`, which the device must have then."""
    return "F(" in text or "C(" in text


def encode_arguments(
    args: Iterable[object], kwargs: Mapping[str, object] | None = None, *, single: bool = False
) -> str:
    """Return what stands between the parentheses of a call: `2,'x',pin=25`.

    Raises:
        ArgumentError: naming the argument by its number, from 1, or its keyword.
    """
    parts = [
        encode(value, single=single, where=f"argument {number}")
        for number, value in enumerate(args, 1)
    ]
    for name, value in (kwargs or {}).items():
        parts.append(f"{name}={encode(value, single=single, where=f'argument {name}')}")
    return ",".join(parts)


def is_plain(value: object) -> bool:
    r"""Whether `repr(value)` is the same text here and on every board.

    Both ends can then compute a check over it without the text being sent. That holds for None,
    bool, int of 64 bits, ASCII str, bytes, and tuples and lists of these; it was measured with
    MicroPython 1.9.2 and 1.27. Dicts and sets differ in order, floats in digits.
    """
    return _is_plain(value, 0)


def _is_plain(value: object, depth: int) -> bool:
    kind = type(value)
    if kind is int:
        return -_WIDE_INT <= value < _WIDE_INT  # type: ignore[operator]  # kind is int
    if kind is str:
        return value.isascii()  # type: ignore[attr-defined,no-any-return]  # kind is str
    if kind is tuple or kind is list:
        if depth >= MAX_DEPTH:
            return False
        for item in value:  # type: ignore[attr-defined]  # noqa: SIM110 -- `all` takes thrice as long
            if not _is_plain(item, depth + 1):
                return False
        return True
    return value is None or kind is bool or kind is bytes


def _integer(value: object) -> str:
    assert isinstance(value, int)
    return repr(value) if -_WIDE_INT <= value < _WIDE_INT else hex(value)


class _Encoder:
    """One walk over one value; `path` is where we are, `above` the ids of the containers there."""

    __slots__ = ("_single",)

    def __init__(self, *, single: bool) -> None:
        self._single = single

    def text(self, value: object, path: tuple[str, ...], above: tuple[int, ...]) -> str:
        match value:
            case None | bool():
                return repr(value)
            case int() if type(value) is int:
                return _integer(value)
            case str() | bytes() if type(value) in (str, bytes):
                return ascii(value)
            case float() if type(value) is float:
                return self._float(value, path)
            case complex() if type(value) is complex:
                return f"C({self._bits(value.real, path)},{self._bits(value.imag, path)})"
            case tuple() | list() | set() | dict() if type(value) in (tuple, list, set, dict):
                return self._container(value, path, above)
            case _:
                raise ArgumentError(
                    f"{': '.join(path)}: object of type {type(value).__name__} cannot be sent; "
                    f"send only {_KINDS}"
                )

    def _float(self, value: float, path: tuple[str, ...]) -> str:
        # "2." and not "2.0": old parsers scale by a power of ten for each digit after the point.
        if value.is_integer() and 0 < abs(value) <= _WHOLE:
            return f"{int(value)}."
        return f"F({self._bits(value, path)})"

    def _bits(self, value: float, path: tuple[str, ...]) -> str:
        if not self._single:
            return hex(struct.unpack("<Q", struct.pack("<d", value))[0])
        try:
            return hex(struct.unpack("<I", struct.pack("<f", value))[0])
        except OverflowError as err:
            raise ArgumentError(
                f"{': '.join(path)}: {value!r} is beyond this device's 32-bit floats; "
                "send a smaller number, or an int"
            ) from err

    def _container(self, value: object, path: tuple[str, ...], above: tuple[int, ...]) -> str:
        if id(value) in above:
            raise ArgumentError(f"{': '.join(path)}: contains itself; send a tree of values")
        if len(above) >= MAX_DEPTH:
            raise ArgumentError(f"{path[0]}: more than {MAX_DEPTH} containers deep; flatten it")
        above = (*above, id(value))
        match value:
            case dict():
                pairs = (
                    f"{self.text(key, (*path, 'dict key'), above)}:"
                    f"{self.text(item, (*path, f'dict[{key!r}]'), above)}"
                    for key, item in value.items()
                )
                return f"{{{','.join(pairs)}}}"
            case set():
                items = self._items(value, "set element", path, above)
                return f"{{{','.join(items)}}}" if items else "set()"
            case tuple():
                items = self._items(value, "tuple[{}]", path, above)
                return f"({','.join(items)}{',' if len(items) == 1 else ''})"
            case list():
                return f"[{','.join(self._items(value, 'list[{}]', path, above))}]"
            case _:  # pragma: no cover - the caller matched these types
                raise AssertionError(value)

    def _items(
        self, values: Iterable[object], place: str, path: tuple[str, ...], above: tuple[int, ...]
    ) -> list[str]:
        return [
            self.text(item, (*path, place.format(number)), above)
            for number, item in enumerate(values)
        ]


# --- from the device -----------------------------------------------------------------------------

_CONSTANTS: Final[Mapping[str, object]] = {"None": None, "True": True, "False": False}
_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")  # nearly every answer
_INTEGERS: Final = re.compile(r"[\[\]0-9, -]+")  # lists of ints: here JSON is Python, and faster
_PLAIN_STRING: Final = re.compile(r"'[^'\\\n\r\x00]*'")
_MISSING: Final = object()


def decode(text: str) -> object:
    """Return the value that the device's `e(value)` wrote; nothing is ever evaluated.

    Raises:
        ResultTypeError: the text is anything else than literals, `F`, `f`, `C`, `c` and `set()`, or
            the sum of strings, bytes, tuples or lists that a long answer comes as.
    """
    if _INTEGER.fullmatch(text):
        return int(text)
    value = _CONSTANTS.get(text, _MISSING)
    if value is not _MISSING:
        return value
    if _PLAIN_STRING.fullmatch(text):
        return text[1:-1]
    try:
        if _INTEGERS.fullmatch(text):
            return json.loads(text)
    except (ValueError, RecursionError):
        pass  # the same characters, and no JSON: let the full walk say what is wrong
    try:
        return _node(parsed(text, "eval").body)
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError, struct.error) as err:
        shown = text if len(text) <= 60 else f"{text[:60]}…"
        raise ResultTypeError(
            f"the device's result {shown!r} is no literal; return only {_KINDS}"
        ) from err


def _node(node: ast.expr) -> object:
    match node:
        case ast.Constant(value=bool() | int() | float() | str() | bytes() | None as value):
            return value
        case ast.List() | ast.Tuple() | ast.Set():
            return _SEQUENCES[type(node)](map(_node, node.elts))
        case ast.Dict(keys=keys, values=values):
            pairs = zip(keys, values, strict=True)
            return {_node(_present(key)): _node(item) for key, item in pairs}
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.BinOp(op=ast.Add()):
            return _sum(node)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _CALLS:
            return _CALLS[name](*map(_node, args))
        case _:
            raise ValueError(type(node).__name__)


def _sum(node: ast.expr) -> Any:
    parts: list[Any] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts.append(_node(node.right))  # a loop: there may be a thousand
        node = node.left
    parts.append(_node(node))
    parts.reverse()
    first = parts[0]
    if {type(part) for part in parts} != {type(first)}:
        raise ValueError("a sum of anything but parts of one value")
    if isinstance(first, str | bytes):
        return first[:0].join(parts)
    if isinstance(first, tuple | list):
        return type(first)(chain.from_iterable(parts))
    raise ValueError("a sum of anything but parts of one value")


def _present(key: ast.expr | None) -> ast.expr:
    if key is None:
        raise ValueError("** in a dict")
    return key


def _double(bits: int) -> float:
    return float(struct.unpack("<d", struct.pack("<Q", bits))[0])


def _single(bits: int) -> float:
    return float(struct.unpack("<f", struct.pack("<I", bits))[0])


def _dict(pairs: list[tuple[object, object]]) -> object:
    return {key: item for key, item in pairs}  # noqa: C416 - dict() would take more than pairs


_SEQUENCES: Final[Mapping[type, Callable[[Iterable[object]], object]]] = {
    ast.List: list,
    ast.Tuple: tuple,
    ast.Set: set,
}
_CALLS: Final[Mapping[str, Callable[..., object]]] = {
    "F": _double,
    "f": _single,
    "C": lambda real, imag: complex(_double(real), _double(imag)),
    "c": lambda real, imag: complex(_single(real), _single(imag)),
    "set": set,
    "dict": _dict,
}
