"""Every link passes the conformance suites."""

from __future__ import annotations

import errno
import os
import pty
import socket
import subprocess
import sys
import threading
import tty
from contextlib import suppress
from pathlib import Path

import pytest
import serial

from klemheist.transports import (
    Link,
    LinkBusy,
    LinkError,
    LinkPermissionError,
    create_link,
    microbit,
    ports,
    reactor,
)
from klemheist.transports.websocket import FRAME_BYTES, WebSocketCodec
from tests.boards.usb_bus import PICO
from tests.transports.conformance import (
    SECONDS,
    BoardPeer,
    BoardSuite,
    EchoSuite,
    Holdings,
    Inbox,
    Opened,
    PeerSuite,
    ProcessPeer,
    echoes,
    enter_raw,
    run,
)

ROOT = Path(__file__).parents[2]
ECHO = "import os; [os.write(1, data) for data in iter(lambda: os.read(0, 65536), bytes())]"
SERVER = """
import os, socket
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
while True:
    client, _ = server.accept()
    try:
        while data := client.recv(65536):
            client.sendall(data)
            if data == b"deaf": os.read(0, 1)
    except ConnectionError:
        pass
"""


class EchoServer:
    """A process behind a TCP port."""

    def __init__(self, scheme: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout
        self.url = f"{scheme}://127.0.0.1:{int(self.process.stdout.readline())}"

    ready = staticmethod(echoes)

    def kill(self, link: Link) -> None:
        self.process.kill()

    def deafen(self, link: Link, inbox: Inbox) -> None:
        link.write(b"deaf")
        inbox.take(b"deaf")

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


def test_a_driven_link_delivers_on_the_calling_thread_and_lost_may_close_it():
    server = EchoServer("tcp")
    before = Holdings.now()
    opened = Opened(server)
    opened.inbox.lost = lambda error: (opened.inbox.errors.append(error), opened.link.close())
    with opened:
        here = threading.get_ident()
        for _ in range(1000):  # the I/O thread may be faster, but not always
            opened.link.write(b"x")
            opened.link.drive(lambda: here in opened.inbox.threads, 0.005)
            if here in opened.inbox.threads:
                break
        assert here in opened.inbox.threads
        server.kill(opened.link)
        opened.link.drive(lambda: bool(opened.inbox.errors), SECONDS)
    assert len(opened.inbox.errors) == 1
    assert Holdings.become(before)  # where the I/O thread saw the end, it ends by itself
    server.close()


def test_an_io_thread_that_ends_before_it_is_woken_for_that_is_no_error():
    io = reactor.Reactor()
    io._thread.start()
    io._ended = True  # as a busy thread sees it, before the wake-up is sent
    io._wake_write.send(b"!")
    io._thread.join(SECONDS)
    io._end()
    assert not io._thread.is_alive()


class TestTcp(EchoSuite, PeerSuite):
    @pytest.fixture
    def peer(self):
        server = EchoServer("tcp")
        yield server
        server.close()

    def test_a_closed_port_is_refused_in_one_line_and_leaves_nothing(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        before = Holdings.now()
        with pytest.raises(LinkError, match="refused") as raised:
            create_link(f"tcp://127.0.0.1:{port}").open(Inbox(), timeout=1.0)
        assert "\n" not in str(raised.value)
        assert Holdings.now() == before


class TestSocketUrl(EchoSuite, PeerSuite):
    @pytest.fixture
    def peer(self):
        server = EchoServer("socket")
        yield server
        server.close()


class WrappedEchoServer(EchoServer):
    """The same behind a WebREPL or Telnet server, with a login or without."""

    def __init__(self, kind: str, url: str, *more: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.boards.wrapped", kind, *more],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout
        self.url = url.format(int(self.process.stdout.readline()))
        self.spoilt = False

    @staticmethod
    def ready(link: Link, inbox: Inbox) -> None:
        echoes(link, inbox)
        inbox.data.clear()

    def kill(self, link: Link) -> None:
        self.spoilt = True
        super().kill(link)

    def deafen(self, link: Link, inbox: Inbox) -> None:
        self.spoilt = True
        super().deafen(link, inbox)


@pytest.fixture(scope="class")
def wrapped():
    """Servers that serve one test after the other, until one kills or deafens them."""
    servers = {}

    def server(*what: str) -> WrappedEchoServer:
        if what in servers and servers[what].spoilt:
            servers.pop(what).close()
        if what not in servers:
            servers[what] = WrappedEchoServer(*what)
        return servers[what]

    yield server
    for each in servers.values():
        each.close()


class WrappedSuite(EchoSuite, PeerSuite):
    """What the server says of itself comes first."""

    def test_every_byte_value_passes(self, peer):
        data = bytes(range(256)) * 40  # longer than a frame
        with Opened(peer) as opened:
            opened.ready()
            opened.link.write(data)
            assert opened.inbox.count(len(data)) == data

    def test_bytes_keep_their_order_over_many_writes(self, peer):
        data = [b"%d," % number for number in range(5000)]
        with Opened(peer) as opened:
            opened.ready()
            for piece in data:
                opened.link.write(piece)
            assert opened.inbox.count(len(b"".join(data))) == b"".join(data)

    def test_an_interrupt_is_byte_3(self, peer):
        with Opened(peer) as opened:
            opened.ready()
            opened.link.interrupt()
            assert opened.inbox.count(1) == b"\x03"

    def test_its_key_has_no_login(self, peer):
        link = create_link(peer.url)
        assert "secret" not in link.url
        assert "python" not in link.url


class TestWebRepl(WrappedSuite):
    @pytest.fixture
    def peer(self, wrapped):
        return wrapped("ws", "ws://:secret@127.0.0.1:{}")


class TestSecureWebRepl(WrappedSuite):
    """The same through TLS: a server's certificate, and the file that says whom we trust."""

    @pytest.fixture
    def peer(self, wrapped, certificates):
        url = f"wss://:secret@127.0.0.1:{{}}/?ca={certificates.authority}"
        return wrapped("wss", url, certificates.server)

    def test_an_interrupt_overtakes_what_waits_to_be_sealed(self, peer):
        """Records have an order: what was sealed first goes first, and no record is damaged."""
        with Opened(peer) as opened:
            opened.ready()
            link = opened.link
            with link._writing:  # the peer reads, but nobody flushes meanwhile
                link._unsent.extend(WebSocketCodec().encode(b"." * 5000))
                link._unsent_bytes = sum(map(len, link._unsent))
            link.interrupt()
            with link._writing:
                link._watch()
            came = opened.inbox.count(5001)
        assert came.index(b"\x03") == FRAME_BYTES


class TestTelnet(WrappedSuite):
    @pytest.fixture(params=["telnet://127.0.0.1:{}", "telnet://micro:python@127.0.0.1:{}"])
    def peer(self, request, wrapped):
        return wrapped("login" if "@" in request.param else "telnet", request.param)


class LoopPeer:
    """pyserial's loop: it is its own peer."""

    url = "loop://"
    ready = staticmethod(echoes)


class TestLoopUrl(EchoSuite):
    @pytest.fixture
    def peer(self):
        return LoopPeer()


STOP = b"stop now"
"""Ends a terminal's echo, after it was echoed itself."""


class Terminal:
    """A pseudo-terminal whose other end echoes."""

    ready = staticmethod(echoes)

    def __init__(self) -> None:
        self.ours, self.theirs = pty.openpty()
        tty.setraw(self.theirs)
        self.url = os.ttyname(self.theirs)
        self.thread = threading.Thread(target=self.echo, name="terminal", daemon=True)
        self.thread.start()

    def echo(self) -> None:
        with suppress(OSError):
            last = b""
            while not last.endswith(STOP):
                last = data = os.read(self.ours, 65536)
                while data:
                    data = data[os.write(self.ours, data) :]

    def deafen(self, link: Link, inbox: Inbox) -> None:
        link.write(STOP)
        inbox.take(STOP)
        self.thread.join()

    def kill(self, link: Link) -> None:
        link.write(STOP)  # frees the thread from its read, so that the descriptor really closes
        self.thread.join()
        self.close()

    def close(self) -> None:
        for fd in (self.theirs, self.ours):
            with suppress(OSError):
                os.close(fd)
        self.theirs = self.ours = -1


class TestSerialPort(EchoSuite, PeerSuite):
    @pytest.fixture
    def peer(self):
        terminal = Terminal()
        yield terminal
        if terminal.thread.is_alive():
            os.write(terminal.theirs, STOP)
            terminal.thread.join()
        terminal.close()

    def test_a_missing_port_is_named_with_what_to_do(self):
        before = Holdings.now()
        with pytest.raises(LinkError, match=r"/dev/ttyNONE9: no such port; `klemheist devices`"):
            create_link("/dev/ttyNONE9").open(Inbox())
        assert Holdings.now() == before

    def test_a_port_without_permission_names_its_group(self, peer, monkeypatch):
        def refuse(*_: object, **__: object) -> None:
            raise serial.SerialException(errno.EACCES, "forged: permission denied")

        monkeypatch.setattr(serial, "Serial", refuse)
        with pytest.raises(LinkPermissionError, match=r"join its group: sudo usermod -aG [a-z]+ "):
            create_link(peer.url).open(Inbox())

    def test_a_look_at_a_port_that_has_nothing_is_no_loss(self, peer):
        """Two threads may be told of the same bytes; the second one finds none."""
        with Opened(peer) as opened:
            opened.ready()
            opened.link._ready()
            opened.ready()
            assert opened.inbox.errors == []

    def test_a_busy_port_names_its_holder(self, peer):
        with Opened(peer), pytest.raises(LinkBusy, match=f"by process {os.getpid()} "):
            create_link(peer.url).open(Inbox())


class TestUsbPort(EchoSuite, PeerSuite):
    @pytest.fixture
    def peer(self, monkeypatch):
        terminal = Terminal()
        found = [PICO.port(terminal.url)]
        monkeypatch.setattr(ports, "comports", lambda: found)
        terminal.url = "usb:vid=2e8a&pid=0005"
        yield terminal
        if terminal.thread.is_alive():
            os.write(terminal.theirs, STOP)
            terminal.thread.join()
        terminal.close()

    def test_a_busy_port_is_named_by_both_its_names(self, peer):
        with Opened(peer), pytest.raises(LinkBusy, match=r"usb:\S+ \(/dev/\S+\) is in use by"):
            create_link(peer.url).open(Inbox())


class ExecPeer(ProcessPeer):
    """An echo in Python behind a terminal."""

    url = f"exec:{sys.executable} -I -S -c '{ECHO}'"
    ready = staticmethod(echoes)


class TestExec(EchoSuite, PeerSuite):
    resets = BoardSuite.resets

    @pytest.fixture
    def peer(self):
        return ExecPeer()

    def test_a_missing_command_is_named(self):
        with pytest.raises(LinkError, match="no command 'klemheist-nothing' here"):
            create_link("exec:klemheist-nothing --flag").open(Inbox())

    def test_its_terminal_is_the_controlling_one(self):
        code = "import os; os.write(os.open(chr(47)+str().join([])+'dev/tty', 1), b'mine')"
        peer = ExecPeer()
        peer.url = f'exec:{sys.executable} -I -S -c "{code}"'
        with Opened(peer) as opened:
            opened.inbox.take(b"mine")
            opened.inbox.until(lambda: bool(opened.inbox.errors), "end")


class TestSim(BoardSuite):
    boots = True

    @pytest.fixture
    def peer(self):
        return BoardPeer("sim:")

    def test_every_byte_value_passes_both_ways(self, peer):
        data = bytes(range(256))
        with Opened(peer) as opened:
            enter_raw(opened.link, opened.inbox)
            opened.link.write(
                b"import sys\nr = sys.stdin.buffer.read(253)\nsys.stdout.buffer.write(r)\x04"
            )
            opened.inbox.take(b"OK")
            sent = data.replace(b"\x03", b"")[:253]
            opened.link.write(sent)
            opened.inbox.until(lambda: len(opened.inbox.data) >= 256, "output")
            assert bytes(opened.inbox.data) == sent + b"\x04\x04>"
            opened.inbox.data.clear()
            opened.link.write(b"sys.stdout.buffer.write(bytes(range(256)))\x04")
            opened.inbox.until(lambda: len(opened.inbox.data) >= 261, "output")
            assert bytes(opened.inbox.data) == b"OK" + data + b"\x04\x04>"


class TestMicrobit(BoardSuite):
    boots = True

    @pytest.fixture
    def peer(self):
        return BoardPeer("microbit:")

    sleeper = b"import microbit\nprint('asleep')\nmicrobit.sleep(20000)"

    def test_without_qemu_or_firmware_the_error_says_how_to_install_it(self, monkeypatch, tmp_path):
        monkeypatch.setattr(microbit, "FIRMWARE", tmp_path / "firmware.hex")
        with pytest.raises(LinkError, match="apt-get install qemu-system-arm firmware-microbit"):
            create_link("microbit:").open(Inbox())
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(LinkError, match="apt-get install qemu-system-arm firmware-microbit"):
            create_link("microbit:").open(Inbox())

    def test_the_first_output_of_the_board_is_not_lost(self, peer):
        with Opened(peer) as opened:
            assert b"MicroPython v1.9" in opened.inbox.take(b">>> ")

    def test_a_soft_reset_is_announced(self, peer):
        with Opened(peer) as opened:
            enter_raw(opened.link, opened.inbox)
            run(opened.link, opened.inbox, "x = 1")
            opened.link.write(b"\x04")
            opened.inbox.take(b"soft reboot")
