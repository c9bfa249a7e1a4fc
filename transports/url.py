"""Device URLs: text in, one normalised value out (DESIGN.md section 6). Pure: nothing is looked up.

>>> parse_url("serial:///dev/ttyUSB0?baudrate=115200").key
'/dev/ttyUSB0'
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import unquote, urlencode

from klemheist.transports.errors import UnknownScheme
from klemheist.transports.query import read_options
from klemheist.transports.usb import parse_usb

DEFAULT_BAUDRATE = 115200
"""What nearly every board's UART has; USB ports ignore it."""

DEFAULT_HEAP_BYTES = 1024 * 1024
"""The embedded board's first heap, where the URL says nothing: collected in no time; it grows."""

_PYSERIAL_SCHEMES = frozenset({"rfc2217", "socket", "loop", "spy"})
_USES = (
    "a port's path, serial://, usb:, exec:, tcp://, telnet://, ws://, wss://, sim:, "
    "microbit:, rfc2217://, socket://, loop://"
)
_LOGIN_PORTS = {"telnet": 23, "ws": 8266, "wss": 443}
"""The schemes whose server may ask for a login, and their usual ports."""

_LOGIN_OPTIONS = {"wss": frozenset({"password", "ca"})}
"""What they take besides `password`: `ca` is a file of certificates to trust."""

_SECRET_OPTION = re.compile(r"([?&](?:pas|pw)[^=&#]*=)[^&#\s]*", re.IGNORECASE)
_SECRET_LOGIN = re.compile(r"^(\s*[^:/?#]+:/+[^:@]*:)(.*)@", re.DOTALL)

_COM_PORT = re.compile(r"(?:\\\\\.\\)?COM\d+", re.IGNORECASE)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(.*)", re.DOTALL)
_BOARD_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SIZE = re.compile(r"(\d+)([kKmM]?)")
_SIZE_UNITS = {"": 1, "k": 1024, "m": 1024 * 1024}
_MAX_PORT = 65535
_KNOWN = 256
"""Texts whose value is remembered: whoever gets a session by its device's URL does so often."""
_MIN_HEAP_BYTES = 32 * 1024
_MAX_HEAP_BYTES = 512 * 1024 * 1024

_SERIAL_CHOICES: dict[str, frozenset[str]] = {
    "bytesize": frozenset({"5", "6", "7", "8"}),
    "parity": frozenset({"N", "E", "O", "M", "S"}),
    "stopbits": frozenset({"1", "1.5", "2"}),
    "xonxoff": frozenset({"0", "1"}),
    "rtscts": frozenset({"0", "1"}),
    "dsrdtr": frozenset({"0", "1"}),
    "dtr": frozenset({"0", "1"}),
    "rts": frozenset({"0", "1"}),
}


@dataclass(frozen=True, slots=True)
class DeviceURL:
    """A checked device URL. Two URLs of one device have equal keys."""

    scheme: str
    """`serial`, `usb`, `exec`, `tcp`, `telnet`, `ws`, `wss`, `sim`, `microbit`, or pyserial's."""
    target: str
    """What the scheme names: a port, a command, `host:port`, a board; a handler's whole URL."""
    options: tuple[tuple[str, str], ...]
    """The query without defaults, in the order of the names."""
    key: str
    """The normalised text: the key of the device (DESIGN 3.9). No login stands in it."""
    user: str = ""
    """Who logs in, where the server asks."""
    password: str = field(default="", repr=False)

    def option(self, name: str, default: str) -> str:
        """Return one option's text, or `default` where the URL does not give it."""
        return dict(self.options).get(name, default)


def parse_url(text: str) -> DeviceURL:
    """Check and normalise a device URL.

    Raises:
        UnknownScheme: the scheme is not known (or comes later), or a part is missing or wrong; the
            message names the value and what is allowed.
    """
    if not isinstance(text, str) or not text.strip() or "\0" in text:
        raise UnknownScheme(f"{text!r} is no device URL; use {_USES}")
    return _parsed(text.strip())


@lru_cache(_KNOWN)
def _parsed(text: str) -> DeviceURL:
    if _COM_PORT.fullmatch(text):
        return _serial(text.upper(), text, "")
    found = _SCHEME.fullmatch(text)
    if found is None:
        if "/" in text:
            return _serial(text, text, "")
        raise UnknownScheme(f"{text!r} is no device URL; use {_USES}")
    return _by_scheme(found[1].lower(), found[2], hide_password(text))


def hide_password(text: str) -> str:
    """Return a URL as it may be shown and logged: with `***` where a password stands.

    >>> hide_password("ws://:secret@192.168.4.1")
    'ws://:***@192.168.4.1'
    """
    return _SECRET_LOGIN.sub(r"\1***@", _SECRET_OPTION.sub(r"\1***", text))


def parse_size(text: str, whole: str) -> int:
    """Read `64k`, `8m` or a number of bytes, for the URL `whole`.

    Raises:
        UnknownScheme: it is not a size, or not one that the embedded board can have.
    """
    found = _SIZE.fullmatch(text)
    size = int(found[1]) * _SIZE_UNITS[found[2].lower()] if found else 0
    if not _MIN_HEAP_BYTES <= size <= _MAX_HEAP_BYTES:
        raise UnknownScheme(f"{whole!r}: heap={text} must be a size from 32k to 512m, as heap=1m")
    return size


def split_host_port(target: str, whole: str) -> tuple[str, int]:
    """Split `host:port` (`[::1]:port` too).

    Raises:
        UnknownScheme: the host or the port is missing or no number from 1 to 65535.
    """
    host, colon, port = target.rpartition(":")
    number = int(port) if port.isascii() and port.isdigit() else 0
    if not colon or not host or not 1 <= number <= _MAX_PORT:
        raise UnknownScheme(f"{whole!r} needs a host and a port, as tcp://192.168.4.1:8266")
    return host.removeprefix("[").removesuffix("]"), number


def _by_scheme(scheme: str, rest: str, text: str) -> DeviceURL:
    if scheme in _PYSERIAL_SCHEMES:
        return _handler(scheme, rest, text)
    if scheme in _READERS:
        return _READERS[scheme](rest, text)
    if scheme in _LOGIN_PORTS:
        return _login(scheme, rest, text)
    raise UnknownScheme(f"{text!r}: unknown scheme {scheme!r}; use {_USES}")


def _build(scheme: str, target: str, options: dict[str, str], plain: str) -> DeviceURL:
    """Build the value; `plain` is the key's part before the query."""
    ordered = tuple(sorted(options.items()))
    return DeviceURL(scheme, target, ordered, plain + ("?" + urlencode(ordered) if ordered else ""))


def _serial_url(rest: str, text: str) -> DeviceURL:
    target, _, query = rest.partition("?")
    return _serial(target.removeprefix("//"), text, query)


def _serial(target: str, text: str, query: str) -> DeviceURL:
    if not target:
        raise UnknownScheme(f"{text!r} names no port; use serial:///dev/ttyUSB0")
    options = _serialread_options(query, text)
    target = target.upper() if _COM_PORT.fullmatch(target) else target
    return _build("serial", target, options, f"serial://{target}" if options else target)


def _serialread_options(query: str, text: str) -> dict[str, str]:
    options = read_options(query, text, frozenset(_SERIAL_CHOICES) | {"baudrate"})
    baudrate = options.get("baudrate", str(DEFAULT_BAUDRATE))
    if not (baudrate.isascii() and baudrate.isdigit()) or int(baudrate) == 0:
        raise UnknownScheme(f"{text!r}: baudrate={baudrate} must be a whole number, as 115200")
    for name, allowed in _SERIAL_CHOICES.items():
        if options.get(name, next(iter(allowed))) not in allowed:
            choices = ", ".join(sorted(allowed))
            raise UnknownScheme(f"{text!r}: {name}={options[name]} must be one of {choices}")
    if int(baudrate) == DEFAULT_BAUDRATE:
        options.pop("baudrate", None)
    return options


def _usb(rest: str, text: str) -> DeviceURL:
    asked, _, query = rest.removeprefix("//").partition("?")
    wanted = parse_usb(asked, text).text()
    return _build("usb", wanted, _serialread_options(query, text), f"usb:{wanted}")


def _handler(scheme: str, rest: str, text: str) -> DeviceURL:
    if not rest.startswith("//"):
        raise UnknownScheme(f"{text!r}: write {scheme}://…")
    if scheme in {"socket", "rfc2217"}:
        split_host_port(rest[2:].partition("?")[0].rstrip("/"), text)
    whole = f"{scheme}:{rest}"
    return DeviceURL(scheme, whole, (), whole)


def _exec(command: str, text: str) -> DeviceURL:
    command = command.strip()
    if not command:
        raise UnknownScheme(f"{text!r} names no command; use exec:COMMAND, as exec:micropython")
    return DeviceURL("exec", command, (), f"exec:{command}")


def _tcp(rest: str, text: str) -> DeviceURL:
    host, port = split_host_port(rest.removeprefix("//").rstrip("/"), text)
    shown = f"[{host}]" if ":" in host else host.lower()
    return DeviceURL("tcp", f"{shown}:{port}", (), f"tcp://{shown}:{port}")


def _login(scheme: str, rest: str, text: str) -> DeviceURL:
    """Read `//user:password@host:port/?password=…`; `text` is for messages, without a password."""
    if not rest.startswith("//"):
        raise UnknownScheme(f"{text!r}: write {scheme}://host")
    place, _, query = rest[2:].partition("?")
    login, _, address = place.rpartition("@")
    user, _, password = login.partition(":")
    allowed = _LOGIN_OPTIONS.get(scheme, frozenset({"password"}))
    options = read_options(query.replace("+", "%2B"), text, allowed)
    user, password = unquote(user), options.pop("password", unquote(password))
    if not (user + password).isprintable():
        raise UnknownScheme(f"{text!r}: a user or password has no control characters")
    address = address.removesuffix("/")
    if not address.rpartition(":")[1] or address.endswith("]"):
        address = f"{address}:{_LOGIN_PORTS[scheme]}"
    if "/" in address:
        raise UnknownScheme(f"{text!r}: {scheme}: takes no path, and %2F for '/' in a password")
    host, port = split_host_port(address, text)
    shown = f"[{host}]" if ":" in host else host.lower()
    target = f"{shown}:{port}"
    plain = f"{scheme}://{target}"
    return DeviceURL(scheme, target, tuple(options.items()), plain, user, password)


def _sim(rest: str, text: str) -> DeviceURL:
    name, _, query = rest.removeprefix("//").partition("?")
    if name and not _BOARD_NAME.fullmatch(name):
        raise UnknownScheme(f"{text!r}: a board's name has letters, digits, '.', '_' and '-' only")
    options = read_options(query, text, frozenset({"heap"}))
    if "heap" in options:
        size = parse_size(options.pop("heap"), text)
        if size != DEFAULT_HEAP_BYTES:
            options["heap"] = str(size)
    return _build("sim", name, options, f"sim:{name}")


def _microbit(rest: str, text: str) -> DeviceURL:
    if rest.removeprefix("//"):
        raise UnknownScheme(f"{text!r}: microbit: takes no name and no options")
    return DeviceURL("microbit", "", (), "microbit:")


_READERS = {
    "serial": _serial_url,
    "usb": _usb,
    "exec": _exec,
    "tcp": _tcp,
    "sim": _sim,
    "microbit": _microbit,
}
