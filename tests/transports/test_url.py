"""Device URLs: normalised, or refused in one line that names the value and what is allowed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from klemheist.transports import UnknownScheme, create_link, parse_url
from klemheist.transports.url import hide_password


@pytest.mark.parametrize(
    ("text", "scheme", "target", "key"),
    [
        ("/dev/ttyACM0", "serial", "/dev/ttyACM0", "/dev/ttyACM0"),
        ("  /dev/ttyACM0\n", "serial", "/dev/ttyACM0", "/dev/ttyACM0"),
        ("com3", "serial", "COM3", "COM3"),
        ("serial:///dev/ttyUSB0?baudrate=115200", "serial", "/dev/ttyUSB0", "/dev/ttyUSB0"),
        (
            "SERIAL:///dev/ttyUSB0?parity=E&baudrate=9600",
            "serial",
            "/dev/ttyUSB0",
            "serial:///dev/ttyUSB0?baudrate=9600&parity=E",
        ),
        ("serial://COM3", "serial", "COM3", "COM3"),
        (
            "serial:///dev/ttyUSB0?rts=0&dtr=0",
            "serial",
            "/dev/ttyUSB0",
            "serial:///dev/ttyUSB0?dtr=0&rts=0",
        ),
        ("usb:serial=E6614c31", "usb", "serial=E6614C31", "usb:serial=E6614C31"),
        ("usb://pid=5&vid=0x2E8A", "usb", "vid=2e8a&pid=0005", "usb:vid=2e8a&pid=0005"),
        ("USB:location=1-1.2:1.0", "usb", "location=1-1.2:1.0", "usb:location=1-1.2:1.0"),
        ("usb:serial=a+b%26%20c", "usb", "serial=A%2BB%26%20C", "usb:serial=A%2BB%26%20C"),
        ("usb:serial=0001?rts=0", "usb", "serial=0001", "usb:serial=0001?rts=0"),
        ("rfc2217://host:4000", "rfc2217", "rfc2217://host:4000", "rfc2217://host:4000"),
        ("loop://", "loop", "loop://", "loop://"),
        ("exec: micropython -i ", "exec", "micropython -i", "exec:micropython -i"),
        ("tcp://HOST:23", "tcp", "host:23", "tcp://host:23"),
        ("tcp://[::1]:23/", "tcp", "[::1]:23", "tcp://[::1]:23"),
        ("telnet://HOST", "telnet", "host:23", "telnet://host:23"),
        ("telnet://[::1]", "telnet", "[::1]:23", "telnet://[::1]:23"),
        ("ws://192.168.4.1", "ws", "192.168.4.1:8266", "ws://192.168.4.1:8266"),
        ("ws://Board.local:80/", "ws", "board.local:80", "ws://board.local:80"),
        ("wss://Lab.example", "wss", "lab.example:443", "wss://lab.example:443"),
        ("sim:", "sim", "", "sim:"),
        ("sim://", "sim", "", "sim:"),
        ("sim:?heap=1m", "sim", "", "sim:"),
        ("sim:lab-1?heap=64k", "sim", "lab-1", "sim:lab-1?heap=65536"),
        ("microbit:", "microbit", "", "microbit:"),
    ],
)
def test_a_url_is_normalised_to_one_key(text, scheme, target, key):
    url = parse_url(text)
    assert (url.scheme, url.target, url.key) == (scheme, target, key)
    assert parse_url(url.key) == url


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no device URL"),
        ("ttyACM0", "no device URL"),
        (None, "no device URL"),
        ("sim:\0", "no device URL"),
        ("foo:bar", "unknown scheme 'foo'; use"),
        ("telnet:host", "write telnet://host"),
        ("ws://", "needs a host and a port"),
        ("ws://host:0", "needs a host and a port"),
        ("ws://host/repl", "takes no path"),
        ("ws://host?heap=1", "unknown option 'heap'; allowed: password"),
        ("usb:", "does not say which port; use usb:serial=E6614C…"),
        ("usb:pid=0005", "does not say which port"),
        ("usb:serial=", "does not say which port"),
        ("usb:1234:5678", "write usb:vid=1234&pid=5678"),
        ("usb:E6614C", "by name=value; use usb:serial=E6614C…, usb:vid=2e8a&pid=0005 or usb:loc"),
        ("usb:vid=2e8a&serial=", "serial= has no value"),
        ("usb:vid=2e8a5", "vid=2e8a5 must be 1 to 4 hex digits"),
        ("usb:vid=pico", "vid=pico must be 1 to 4 hex digits"),
        ("usb:name=pico", "unknown option 'name'; allowed: location, pid, serial, vid"),
        ("usb:serial=E66?dtr=maybe", "dtr=maybe must be one of 0, 1"),
        ("serial://", "names no port"),
        ("serial:///dev/x?baudrate=fast", "baudrate=fast must be a whole number"),
        ("serial:///dev/x?parity=X", "parity=X must be one of E, M, N, O, S"),
        ("serial:///dev/x?speed=1", "unknown option 'speed'; allowed: baudrate, bytesize"),
        ("serial:///dev/x?baudrate", "no list of name=value; write baudrate=…&bytesize=…, with"),
        ("exec:", "names no command"),
        ("tcp://host", "needs a host and a port"),
        ("tcp://:80", "needs a host and a port"),
        ("tcp://host:99999", "needs a host and a port"),
        ("socket://host", "needs a host and a port"),
        ("loop:", "write loop://"),
        ("sim:../up", "a board's name has letters"),
        ("sim:?heap=lots", "heap=lots must be a size from 32k to 512m"),
        ("sim:?heap=1", "must be a size from 32k"),
        ("sim:?rows=1", "unknown option 'rows'; allowed: heap"),
        ("microbit:v2", "takes no name and no options"),
    ],
)
def test_a_wrong_url_is_refused_in_one_line(text, says):
    with pytest.raises(UnknownScheme) as raised:
        create_link(text)
    message = str(raised.value)
    assert says in message
    assert repr(text) in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "user", "password"),
    [
        ("ws://:secret@host", "", "secret"),
        ("ws://host/?password=secret", "", "secret"),
        ("ws://host?password=s%26t", "", "s&t"),
        ("ws://host?password=a+b%20c", "", "a+b c"),
        ("ws://:a+b@host", "", "a+b"),
        ("ws://:p%40%2F%3Aw@host", "", "p@/:w"),
        ("ws://:p@ss@host", "", "p@ss"),
        ("ws://:p/ss@host", "", "p/ss"),
        ("telnet://micro:python@host", "micro", "python"),
        ("telnet://micro@host", "micro", ""),
    ],
)
def test_a_login_is_read_and_stands_in_neither_key_nor_repr(text, user, password):
    url = parse_url(text)
    assert (url.user, url.password) == (user, password)
    assert url.key in {"ws://host:8266", "telnet://host:23"}
    assert parse_url(url.key).key == url.key
    if password:
        assert password not in repr(url)
        assert password not in hide_password(text)
        assert password not in str(create_link(text).url)


def test_whom_a_secure_link_trusts_is_no_part_of_its_key():
    url = parse_url("wss://:secret@host/?ca=/etc/our%20own+more.pem")
    assert (url.key, url.password) == ("wss://host:443", "secret")
    assert url.option("ca", "") == "/etc/our own+more.pem"


@pytest.mark.parametrize(
    "text",
    [
        "ws://:secret@host:99999",
        "ws://:secret@",
        "ws:/:secret@host",
        "ws://host:1/?password=secret&x=1",
        "ws://host/?passwd=secret",
        "ws://:secret%0D%03@host",
        "ws://:se?cret@host",
        "ws://host/path?password=secret",
        "wss://:secret@host/lab",
        "ws://:secret@host?ca=x",
        "telnet://me:secret@host:port",
        "telnet://me:secret@host/?password",
        "tcp://me:secret@host",
        "rfc2217://me:secret@host",
    ],
)
def test_the_password_of_a_wrong_url_is_not_shown(text):
    with pytest.raises(UnknownScheme) as raised:
        parse_url(text)
    assert "cret" not in str(raised.value)
    assert "***" in str(raised.value)


def test_importing_the_room_imports_no_driver():
    code = (
        "import sys, klemheist.transports; "
        "sys.exit(', '.join({'serial', 'pty'} & set(sys.modules)) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
