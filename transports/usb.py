"""What stands in a `usb:` URL. Pure.

>>> parse_usb("vid=0x2E8A&pid=5", "usb:vid=0x2E8A&pid=5").text()
'vid=2e8a&pid=0005'
"""

from __future__ import annotations

import re

from klemheist.transports.errors import UnknownScheme
from klemheist.transports.identity import Wanted
from klemheist.transports.query import read_options

_WORDS = frozenset({"vid", "pid", "serial", "location"})
_NUMBER = re.compile(r"(?:0[xX])?([0-9a-fA-F]{1,4})")
_BARE = re.compile(r"([0-9a-fA-F]{1,4}):([0-9a-fA-F]{1,4})")
_USE = "usb:serial=E6614C…, usb:vid=2e8a&pid=0005 or usb:location=1-1.2"


def parse_usb(asked: str, text: str) -> Wanted:
    """Return what a `usb:` URL asks for.

    Args:
        asked: what stands between its scheme and its options.
        text: the whole, for messages.

    Raises:
        UnknownScheme: it asks for nothing, or for what no USB port has.
    """
    if (bare := _BARE.fullmatch(asked)) is not None:
        raise UnknownScheme(f"{text!r}: write usb:vid={bare[1]}&pid={bare[2]}")
    if asked and "=" not in asked:
        raise UnknownScheme(f"{text!r} does not say which port by name=value; use {_USE}")
    words = read_options(asked.replace("+", "%2B"), text, _WORDS)
    if not any(words.values()) or ("pid" in words and "vid" not in words):
        raise UnknownScheme(f"{text!r} does not say which port; use {_USE}")
    for name, word in words.items():
        if not word or not word.isprintable():
            raise UnknownScheme(f"{text!r}: {name}= has no value; use {_USE}")
    return Wanted(
        vid=_number("vid", words, text),
        pid=_number("pid", words, text),
        serial=words.get("serial"),
        location=words.get("location"),
    )


def _number(name: str, words: dict[str, str], text: str) -> int | None:
    if name not in words:
        return None
    found = _NUMBER.fullmatch(words[name])
    if found is None:
        raise UnknownScheme(f"{text!r}: {name}={words[name]} must be 1 to 4 hex digits, as 2e8a")
    return int(found[1], 16)
