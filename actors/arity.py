"""How many arguments a function takes, and by which names: known here, so a slip is told here."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from klemheist.transports.repl.values import ArgumentError


@dataclass(frozen=True, slots=True)
class Arity:
    """What a function can be called with."""

    least: float = 0
    """Arguments by place that are enough alone; infinite where some must be given by name."""
    most: float = math.inf
    names: tuple[str, ...] = ()
    """The parameters by place, in their order; of them the first `needed` have no default."""
    needed: int = 0
    named: frozenset[str] = frozenset()
    """Those by name only, and which of them have no default."""
    needed_named: frozenset[str] = frozenset()
    takes_any_name: bool = True

    @classmethod
    def of(cls, args: ast.arguments) -> Arity:
        """Return that of a function's parameters."""
        names = tuple(each.arg for each in [*args.posonlyargs, *args.args])
        needed = len(names) - len(args.defaults)
        pairs = zip(args.kwonlyargs, args.kw_defaults, strict=True)
        needed_named = frozenset(each.arg for each, default in pairs if default is None)
        return cls(
            math.inf if needed_named else needed,
            math.inf if args.vararg else len(names),
            names,
            needed,
            frozenset(each.arg for each in args.kwonlyargs),
            needed_named,
            args.kwarg is not None,
        )

    def check(self, function: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """See that a call fits.

        Raises:
            ArgumentError: it does not; nothing was sent.
        """
        if not kwargs and self.least <= len(args) <= self.most:
            return
        if wrong := "; ".join(self._wrong(len(args), kwargs)):
            raise ArgumentError(f"{function}: {wrong}; nothing was sent")

    def _wrong(self, count: int, kwargs: Iterable[str]) -> Iterator[str]:
        given = {*kwargs}
        if count > self.most:
            yield f"{count} arguments are given, it takes {self.most:g}"
        missing = [each for each in self.names[count : self.needed] if each not in given]
        missing += sorted(self.needed_named - given)
        if missing:
            yield f"missing: {', '.join(missing)}"
        if twice := sorted(given & {*self.names[:count]}):
            yield f"given twice: {', '.join(twice)}"
        if not self.takes_any_name and (unknown := given - {*self.names} - self.named):
            yield f"unknown: {', '.join(sorted(unknown))}"


ANY: Final = Arity()
"""Of a function whose decorators on the device may change what it takes."""
