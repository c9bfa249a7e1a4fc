"""The grammar of the command line, as one table of verbs."""

from __future__ import annotations

import argparse
import importlib.metadata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from klemheist import KlemheistError

from . import demo, files, programs, repl, top, verbs

PLUS: Final = "+"
"""Stands between commands that share a session."""


class UsageError(KlemheistError):
    """The command line makes no sense, or asks only for help; `code` is the exit code."""

    def __init__(self, message: str = "", *, code: int = 2) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb: what it does, its arguments for argparse, and examples for `--help`."""

    name: str
    run: Callable[..., int]
    help: str
    arguments: tuple[tuple[Any, ...], ...]
    """Names, then what `add_argument` is told besides."""
    examples: tuple[str, ...]
    stays: bool = False
    """It goes on until it is ended: `klemheist top` shows it."""


_TIMEOUT: Final = (
    "--timeout",
    {"type": top.seconds, "metavar": "SECONDS", "help": "give up after so long; else never"},
)

_PATTERN: Final[dict[str, Any]] = {"action": "append", "metavar": "PATTERN"}


def _recursive(help_: str) -> tuple[str, str, dict[str, Any]]:
    return ("--recursive", "-r", {"action": "store_true", "help": help_})


VERBS: Final = (
    Verb(
        "demo",
        demo.run,
        "tell the main job's story on a board",
        (
            ("--json", {"action": "store_true", "help": "the same as data"}),
            ("--tree", {"action": "store_true", "help": "show the supervision tree as it changes"}),
        ),
        ("klemheist demo", "klemheist demo --tree", "klemheist --device microbit: demo --json"),
    ),
    Verb(
        "run",
        verbs.run,
        "run a file of the host on the device",
        (("file", {"help": "a Python file; - for standard input"}), _TIMEOUT),
        ("klemheist run blink.py", "klemheist --device /dev/ttyACM0 run blink.py"),
    ),
    Verb(
        "exec",
        verbs.execute,
        "run statements",
        (("code", {}), _TIMEOUT),
        ("klemheist exec 'print(6 * 7)'", "klemheist exec 'x = 1' + eval 'x + 1'"),
    ),
    Verb(
        "eval",
        verbs.evaluate,
        "print the value of an expression",
        (("expression", {}), _TIMEOUT),
        ("klemheist eval '6 * 7'",),
    ),
    Verb(
        "deploy",
        programs.deploy,
        "keep a program running until Ctrl-C",
        (
            ("file", {"help": "a Python file that defines a klemheist.Program"}),
            ("--program", {"metavar": "NAME", "help": "which one, where it defines several"}),
            (
                "--set",
                {
                    "action": "append",
                    "default": [],
                    "metavar": "NAME=VALUE",
                    "help": "a parameter of its setups",
                },
            ),
        ),
        ("klemheist deploy blinker.py --set pin=25",),
        stays=True,
    ),
    Verb(
        "devices",
        verbs.devices,
        "list the devices that can be named here",
        (),
        ("klemheist devices",),
    ),
    Verb("info", verbs.info, "show what a device can do", (), ("klemheist --device pico info",)),
    Verb(
        "top",
        top.run,
        "show the devices and sessions of running services",
        (
            ("--pid", {"type": int, "help": "only this process"}),
            ("--once", {"action": "store_true", "help": "show it once, and leave"}),
            ("--json", {"action": "store_true", "help": "the same as data, a line each time"}),
            (
                "--interval",
                {"type": top.seconds, "default": 1.0, "metavar": "SECONDS", "help": "1 by default"},
            ),
        ),
        ("klemheist top", "klemheist top --once --json", "klemheist --device pico top"),
    ),
    Verb(
        "repl",
        repl.run,
        "talk to the device; Ctrl-] leaves",
        (),
        ("klemheist repl",),
        stays=True,
    ),
    Verb(
        "ls",
        files.ls,
        "list a directory of the device",
        (("path", {"nargs": "*", "default": [":"]}),),
        ("klemheist ls", "klemheist ls :lib"),
    ),
    Verb(
        "cat",
        files.cat,
        "show files of the device",
        (("path", {"nargs": "+"}),),
        ("klemheist cat :main.py",),
    ),
    Verb(
        "cp",
        files.cp,
        "copy files; :path is on the device",
        (
            ("path", {"nargs": "+", "help": "sources, then where they go"}),
            _recursive("directories with all that is in them"),
        ),
        (
            "klemheist cp main.py :",
            "klemheist cp :data.csv .",
            "klemheist cp a.py b.py :lib/",
            "klemheist cp -r app :",
        ),
    ),
    Verb(
        "rm",
        files.rm,
        "remove files or empty directories of the device",
        (("path", {"nargs": "+"}), _recursive("directories with all that is in them")),
        ("klemheist rm :main.py", "klemheist rm -r :lib"),
    ),
    Verb(
        "mkdir",
        files.mkdir,
        "make directories on the device",
        (
            ("path", {"nargs": "+"}),
            ("--parents", "-p", {"action": "store_true", "help": "those above them, too"}),
        ),
        ("klemheist mkdir :lib", "klemheist mkdir -p :lib/drivers"),
    ),
    Verb(
        "touch",
        files.touch,
        "make empty files on the device, where there are none",
        (("path", {"nargs": "+"}),),
        ("klemheist touch :boot.py",),
    ),
    Verb(
        "sync",
        files.sync,
        "make a folder of the device hold what one of the host holds",
        (
            ("folder", {"help": "on the host"}),
            ("target", {"nargs": "?", "default": ":", "help": "on the device; its root"}),
            ("--mirror", {"action": "store_true", "help": "remove what the host has not"}),
            ("--keep", {**_PATTERN, "help": "what --mirror leaves alone"}),
            ("--ignore", {**_PATTERN, "help": "what is left out on the host"}),
            ("--verify", {"action": "store_true", "help": "compare all files by their hashes"}),
            ("--mpy", {"action": "store_true", "help": "compile for the device"}),
        ),
        (
            "klemheist sync app",
            "klemheist sync app :lib/app --verify",
            "klemheist sync app : --mirror --keep settings.json --keep lib",
        ),
    ),
)


def parse(argv: Sequence[str]) -> list[argparse.Namespace]:
    """Return the commands, each with its `verb`, `device`, `debug` and `stays`.

    Raises:
        UsageError: argparse has told what is wrong, or shown the help (code 0).
    """
    parser = build()
    try:
        return [_defaults(parser.parse_args(part)) for part in _split(argv)]
    except SystemExit as end:
        raise UsageError(code=int(end.code or 0)) from None


def build() -> argparse.ArgumentParser:
    """Return the parser of one command."""
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument(
        "--device",
        metavar="URL",
        help="a URL, or a name from klemheist.toml; else $KLEMHEIST_DEVICE, else sim:",
    )
    common.add_argument("--debug", action="store_true", help="show tracebacks of the host")
    parser = argparse.ArgumentParser(
        prog="klemheist",
        parents=[common],
        description="Sessions on MicroPython devices: what they start is gone when they end.",
        epilog="Commands joined by + share one session: klemheist exec 'x = 1' + eval x",
    )
    version = importlib.metadata.version("klemheist")
    parser.add_argument("--version", action="version", version=f"klemheist {version}")
    verbs_of = parser.add_subparsers(metavar="COMMAND", required=True)
    for verb in VERBS:
        each = verbs_of.add_parser(
            verb.name,
            parents=[common],
            help=verb.help,
            description=verb.help,
            epilog="examples:\n" + "\n".join(f"  {line}" for line in verb.examples),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        for *names, options in verb.arguments:
            each.add_argument(*names, **options)
        each.set_defaults(verb=verb.run, stays=verb.stays)
    return parser


def _defaults(command: argparse.Namespace) -> argparse.Namespace:
    """Fill in what may stand before or after the verb."""
    command.device = getattr(command, "device", None)
    command.debug = getattr(command, "debug", False)
    return command


def _split(argv: Sequence[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for word in argv:
        if word == PLUS:
            parts.append([])
        else:
            parts[-1].append(word)
    return parts
