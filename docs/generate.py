"""Writes docs/reference from the public docstrings: `make docs`. A test keeps it true."""

from __future__ import annotations

import ast
import inspect
import itertools
import re
import textwrap
from collections import Counter
from collections.abc import Mapping
from enum import Enum
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import klemheist
import klemheist.errors
import klemheist.testing

HOME = Path(__file__).parent / "reference"

PAGES = {
    "manager": (
        "The session manager",
        ("supervisors.manager", "transports.identity", "transports.ports"),
    ),
    "session": (
        "Sessions",
        (
            "actors.session",
            "actors.files",
            "actors.device",
            "actors.done",
            "actors.runtime.future",
        ),
    ),
    "programs": (
        "Programs, tasks and threads",
        (
            "actors.session.program",
            "actors.session.functions",
            "actors.session.tasks",
            "actors.session.generators",
            "actors.session.proxies",
            "actors.session.timesync",
            "actors.session.bound",
            "supervisors.manager.deployment",
        ),
    ),
    "resources": ("Resources", ("actors.session.resources", "actors.session.tracker")),
    "streams": ("Streams", ("actors.streams", "actors.buffer")),
    "actors": ("Actors", ("actors.runtime", "actors.messages")),
    "supervision": ("Supervision", ("supervisors",)),
    "testing": ("Testing", ("testing",)),
    "errors": (
        "Errors",
        ("transports", "actors.errors", "actors.sources", "supervisors.core.errors"),
    ),
}
"""Page: its title, and the modules whose names stand there; the longest prefix decides."""

MORE = {
    "AsyncFiles": "actors.session.async_files",
    "BufferStatistics": "actors.buffer",
    "DeviceContext": "actors.session.contexts",
    "ExecutorContext": "actors.session.contexts",
    "FileInfo": "actors.session.files",
    "FileOperation": "actors.session.files",
    "Files": "actors.session.files",
    "Kind": "actors.buffer",
    "Put": "actors.buffer",
    "SyncResult": "actors.session.files",
}
"""What public methods give back, and nobody makes."""

TABLES = (
    ("A device", "actors.device.states", "LIFE"),
    ("The raw REPL", "transports.repl.table", "MOVES"),
    ("A session manager", "supervisors.manager.life", "LIFE"),
    ("A session", "actors.session.status", "LIFE"),
    ("What a session holds", "actors.session.ledger", "MOVES"),
)
MOST = 0.7
"""Of all states: a move that so many have is said, not drawn."""

SECTION = re.compile(r"^(Args|Returns|Raises|Yields):$", re.MULTILINE)
ITEM = re.compile(r"^    ([\w, .*]+): ", re.MULTILINE)


def public_names() -> dict[str, Any]:
    """Return what `import klemheist` offers, without its rooms, and what comes back from it."""
    found = {
        name: getattr(import_module(f"klemheist.{where}"), name) for name, where in MORE.items()
    }
    found |= {name: value for name, value in vars(klemheist).items() if not name.startswith("_")}
    found |= {name: getattr(klemheist.testing, name) for name in klemheist.testing.__all__}
    return {
        name: value for name, value in sorted(found.items()) if not isinstance(value, ModuleType)
    }


def page_of(value: Any) -> str:
    """Return the page on which a name stands."""
    if value is klemheist.testing.ManualClock:
        return "testing"
    if isinstance(value, type) and issubclass(value, klemheist.KlemheistError):
        return "errors"
    module = getattr(value, "__module__", None) or type(value).__module__
    module = module.removeprefix("klemheist.")
    found = [
        (len(prefix), page)
        for page, (_, prefixes) in PAGES.items()
        for prefix in prefixes
        if f"{module}.".startswith(f"{prefix}.")
    ]
    return max(found, default=(0, "supervision"))[1]


def prose(text: str) -> str:
    """Turn a docstring's sections into lists."""
    text = SECTION.sub(lambda found: f"{found[1]}:\n", inspect.cleandoc(text))
    return re.sub(r"\n    ", r"\n", ITEM.sub(lambda found: f"- `{found[1]}`: ", text))


def signature(value: Any) -> str:
    """Return a signature as it would be written, without `self`."""
    try:
        found = inspect.signature(value)
    except (TypeError, ValueError):
        return ""
    kept = [each for name, each in found.parameters.items() if name != "self"]
    text = str(found.replace(parameters=kept))
    text = re.sub(r"(: |-> )'([^']*)'", r"\1\2", text)  # annotations are kept as text
    text = re.sub(r"<(\w+\.\w+): [^>]*>", r"\1", text)  # an Enum's member by its name
    return re.sub(r"<[\w -]* (\w+) (?:of|at) [^>]*>", r"\1", text)  # a function by its own


def members(cls: type) -> list[str]:
    """Return one line for each public member that Klemheist defines."""
    lines = [line for base in reversed(ours(cls)) for line in attributes(base)]
    found: dict[str, Any] = {}
    for base in reversed(ours(cls)):
        found.update(vars(base))
    for name, value in found.items():
        if name.startswith("_") or not (inspect.isroutine(value) or isinstance(value, property)):
            continue
        target = value.fget if isinstance(value, property) else getattr(cls, name)
        call = "" if isinstance(value, property) else signature(target)
        prefix = "await " if inspect.iscoroutinefunction(target) else ""
        lines.append(member(prefix + name + call, inspect.getdoc(target) or ""))
    return lines


def ours(cls: type) -> list[type]:
    """Return the classes of Klemheist that a class is made of, without those of its `kin`."""
    above = kin(cls)
    told = above.__mro__ if above else ()
    return [b for b in cls.__mro__ if b.__module__.startswith("klemheist") and b not in told]


def kin(cls: type) -> type | None:
    """Return the nearest class above it that has an entry of its own."""
    public = {value for value in public_names().values() if isinstance(value, type)}
    return next((base for base in cls.__mro__[1:] if base in public), None)


def member(text: str, doc: str) -> str:
    """Return a member's line: how it is written, and what it does."""
    first = doc.partition("\n")[0]
    return f"- `{text}`" + (f"  \n  {first}" if first else "")


def attributes(cls: type) -> list[str]:
    """Return one line for each attribute that is annotated in the class's body."""
    body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0].body  # type: ignore[attr-defined]
    lines = []
    for node, after in itertools.zip_longest(body, body[1:]):
        if isinstance(node, ast.AnnAssign) and not ast.unparse(node).startswith("_"):
            is_text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            lines.append(member(ast.unparse(node), str(after.value.value) if is_text else ""))
    return lines


def entry(name: str, value: Any) -> str:
    """Return a name's entry."""
    said = prose(value.__doc__ or "") if isinstance(value, type) or inspect.isroutine(value) else ""
    if isinstance(value, type) and issubclass(value, BaseException):
        parts = [said, *error(value)]
    elif isinstance(value, type) and issubclass(value, Enum):
        parts = [said, "\n".join(f"- `{name}.{each.name}`" for each in value)]
    elif isinstance(value, type):
        above = kin(value)
        also = f"Is a `{above.__name__}`, and has what that has." if above else ""
        parts = [said, also, "\n".join(members(value))]
    elif inspect.isroutine(value):
        parts = [f"`{name}{signature(value)}`", said]
    elif type(value).__repr__ is object.__repr__:
        parts = [prose(type(value).__doc__ or ""), "\n".join(members(type(value)))]
    else:
        parts = [f"`{value!r}`"]
    return "\n\n".join([f"### `{name}`", *filter(None, parts)]) + "\n"


def error(cls: type[BaseException]) -> list[str]:
    """Return what an error is besides, whether it may pass, and what to do."""
    bases = ", ".join(f"`{base.__name__}`" for base in cls.__bases__)
    recoverable = "yes" if getattr(cls, "is_recoverable", False) else "no"
    advice = getattr(cls, "advice", "")
    return [
        f"Is a: {bases}. Recoverable: {recoverable}." + (f" Advice: {advice}." if advice else "")
    ]


def diagram(table: Mapping[tuple[Enum, Enum], Enum]) -> str:
    """Draw a table of moves; what every state allows is said in words."""
    states = {state for state, _ in table} | set(table.values())
    everywhere = Counter((event, target) for (_, event), target in table.items())
    common = [move for move, count in everywhere.items() if count > MOST * len(states)]
    lines = [
        f"    {state.name} --> {target.name}: {event.name.lower().replace('_', ' ')}"
        for (state, event), target in table.items()
        if (event, target) not in common
    ]
    drawn = "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```", ""])
    said = [f"- from nearly any: `{event.name}` leads to `{goal.name}`" for event, goal in common]
    return "\n".join([drawn, *said, ""] if said else [drawn])


def states_page() -> str:
    """Return the page of the life cycles."""
    parts = ["# Life cycles\n", "Each is a table in one file; what is not drawn is refused.\n"]
    for title, module, name in TABLES:
        parts.append(f"## {title}\n\n`klemheist.{module}`\n")
        parts.append(diagram(getattr(import_module(f"klemheist.{module}"), name)))
    return "\n".join(parts)


def pages() -> dict[Path, str]:
    """Return the text of every page of the reference."""
    texts = {page: [f"# {title}\n"] for page, (title, _) in PAGES.items()}
    texts["errors"].append(f"```text\n{inspect.cleandoc(klemheist.errors.__doc__ or '')}\n```\n")
    for name, value in public_names().items():
        texts[page_of(value)].append(entry(name, value))
    found = {HOME / f"{page}.md": "\n".join(parts) for page, parts in texts.items()}
    return {**found, HOME / "states.md": states_page()}


if __name__ == "__main__":
    HOME.mkdir(exist_ok=True)
    for path, text in pages().items():
        path.write_text(text, "utf-8")
