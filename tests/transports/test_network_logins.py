"""WebREPL and Telnet: a real board behind each; and servers that refuse, stall, break or lie."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest
from wsproto.connection import ConnectionType
from wsproto.events import AcceptConnection
from wsproto.frame_protocol import FrameDecoder
from wsproto.handshake import H11Handshake

from klemheist import Program, SessionManager
from klemheist.actors.device.device import Device
from klemheist.actors.device.port import Port
from klemheist.actors.device.reopen import Reopening
from klemheist.actors.device.states import DeviceState
from klemheist.transports import (
    LinkAccessDenied,
    LinkBusy,
    LinkError,
    LinkLost,
    LinkTimeout,
    coded,
    create_link,
)
from klemheist.transports.url import hide_password
from tests.boards.tls import TlsFront, server_context
from tests.boards.wrapped import SecureWebReplBoard, TelnetBoard, WebReplBoard, text_frames
from tests.transports.conformance import SECONDS, Inbox, enter_raw, run

BOARDS = {
    "ws": lambda _: WebReplBoard(),
    "wss": lambda its: SecureWebReplBoard(its.server, its.authority),
    "telnet": lambda _: TelnetBoard(),
}


@pytest.fixture(params=BOARDS)
def board(request, certificates):
    with BOARDS[request.param](certificates) as board:
        yield board


@contextlib.contextmanager
def opened(url):
    link, inbox = create_link(url), Inbox()
    link.open(inbox, timeout=SECONDS)
    try:
        yield link, inbox
    finally:
        link.close()


def refused(url, kind=LinkError, *, timeout=SECONDS):
    """The error of an opening, which says all in one line and shows no password."""
    link = create_link(url)
    with pytest.raises(kind) as raised:
        link.open(Inbox(), timeout=timeout)
    message = str(raised.value)
    assert "\n" not in message
    assert message.startswith(link.url)
    assert ":wrong" not in message
    assert "secret" not in message
    return message


class Scripted:
    """A server that says what it was told to, and then waits for the client to go."""

    def __init__(self, scheme, *script, hang=True):
        self._script, self._hang = script, hang
        self._server = socket.socket()
        self._server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        self._server.bind(("127.0.0.1", 0))
        self._server.listen(4)
        self.url = f"{scheme}://127.0.0.1:{self._server.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._thread.join(SECONDS)  # it ends when the client's socket is closed, not before
        self._server.close()
        assert not self._thread.is_alive()

    def _serve(self):
        client, _ = self._server.accept()
        with client, contextlib.suppress(OSError):
            for word in self._script:
                word(client) if callable(word) else client.sendall(word)
            while self._hang and client.recv(4096):
                pass


def upgrade(client):
    handshake = H11Handshake(ConnectionType.SERVER)
    handshake.receive_data(client.recv(4096))
    list(handshake.events())
    client.sendall(handshake.send(AcceptConnection()))


def hear(client):
    assert client.recv(4096)


def greeted(*more):
    """WebREPL's script up to the login, and more."""
    asks, welcome = text_frames(b"Password: "), text_frames(b"\r\nWebREPL connected\r\n>>> ")
    return (upgrade, asks, hear, welcome, *more)


def go_and_come(manager, board, meanwhile=lambda: None):
    """The connection is cut, and refused until the device has seen that."""
    (device,) = manager.devices()
    ended = time.monotonic() + SECONDS
    board.refuse(True)
    board.drop()
    while device.state is DeviceState.UP:
        assert time.monotonic() < ended
        time.sleep(0.005)
    meanwhile()
    board.refuse(False)


def with_password(url):
    return url.replace("//", "//:secret@")


# -- a board ---------------------------------------------------------------------------------------


def test_a_board_runs_code_and_can_be_interrupted(board):
    with opened(board.url) as (link, inbox):
        inbox.take(b">>> ")  # the greeting's own prompt is not lost
        enter_raw(link, inbox)
        program = "for i in range(2000): print('\\u00e4', i)"
        output, error = run(link, inbox, program)
        assert output.decode().split() == [x for i in range(2000) for x in ("ä", str(i))]
        assert error == b""
        link.write(b"import time\nprint('asleep')\ntime.sleep(20)\x04")
        inbox.take(b"asleep")
        link.interrupt()
        assert b"KeyboardInterrupt" in inbox.take(b"\x04>")


def test_a_session_recovers_over_it_with_the_same_boot(board):
    with SessionManager() as manager, manager.session(board.url) as s:

        @s.task
        def double(n):
            return 2 * n

        s("kept = 7")
        assert double(4) == 8
        generation = s.status, manager.devices()[0].generation
        go_and_come(manager, board)
        assert double(5) == 10
        assert s("kept") == 7
        assert (s.status, manager.devices()[0].generation) == generation
        shown = f"{s!r} {manager.devices()} {manager.snapshot().render()}"
    for secret in ("secret", "python"):
        assert secret not in shown


def test_a_call_in_flight_is_lost_at_once_and_a_new_boot_is_a_new_generation(board):
    with SessionManager() as manager, manager.session(board.url) as s:
        busy = s.submit("__import__('time').sleep(10)")
        threading.Timer(0.1, board.kill).start()
        with pytest.raises(LinkLost):
            busy.get(timeout=SECONDS)
        board.respawn()
        assert s("1 + 1", timeout=SECONDS) == 2


class Resetting(WebReplBoard):
    """A soft reset ends WebREPL, as it does on a board; and the network takes a moment."""

    resets, returns = 0, True

    def received(self, data):
        if b"soft reboot" in data:
            self.resets += 1
            self.refuse(True)
            self.drop()
            if self.returns:
                threading.Timer(0.3, self.refuse, [False]).start()
        super().received(data)


def test_a_soft_reset_ends_webrepl_and_the_session_goes_on():
    with (
        Resetting() as board,
        SessionManager() as manager,
        manager.session(board.url, fresh=True) as s,
    ):
        assert board.resets == 1
        assert s("1") == 1
        with pytest.raises(LinkError):
            s("raise SystemExit")
        assert s("2", timeout=SECONDS) == 2
        assert board.resets == 2


def test_a_board_that_does_not_come_back_after_its_first_reset_is_given_up():
    with Resetting() as board:
        board.returns = False
        port = Port(board.url, lambda: create_link(board.url), {})
        device = Device.start(port, fresh=True, reopening=Reopening(first=0.001, longest=0.001))
        try:
            with pytest.raises(LinkError):
                port.ready.get(timeout=SECONDS)
            assert port.state is DeviceState.FAILED
        finally:
            device.stop()


def test_a_server_that_comes_back_is_found_again(board):
    with SessionManager() as manager, manager.session(board.url) as s:
        assert s("1") == 1
        later = []
        go_and_come(manager, board, lambda: later.append(s.submit("2 + 2", timeout=SECONDS)))
        assert later[0].get(timeout=SECONDS) == 4


def test_a_standing_program_logs_in_too(board):
    class Standing(Program):
        pass

    with SessionManager() as manager:
        standing = manager.deploy(board.url, Standing())
        assert create_link(board.url).url in repr(standing)
        assert "@" not in repr(standing)


# -- logins ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "login", "says"),
    [
        ("ws", ":wrong@", "refuses the login; correct it, as ws://:PASSWORD@host"),
        ("ws", "", "asks for a password; write ws://:PASSWORD@host"),
        ("telnet", "micro:wrong@", "refuses the login; correct it, as telnet://USER"),
        ("telnet", "micro@", "asks for a password; write telnet://USER:PASSWORD@host"),
        ("telnet", ":wrong@", "asks for a user; write telnet://USER:PASSWORD@host"),
    ],
)
def test_a_wrong_login_is_access_denied(kind, login, says):
    with BOARDS[kind](None) as board:
        message = refused(f"{kind}://{login}127.0.0.1:{board.port}", LinkAccessDenied)
        assert says in message
        with opened(board.url):
            pass


def test_a_wrong_password_ends_create_session_with_the_reason():
    with WebReplBoard() as board, SessionManager() as manager:
        with pytest.raises(LinkAccessDenied, match="refuses the login"):
            manager.create_session(f"ws://127.0.0.1:{board.port}/?password=wrong")
        with manager.session(board.url) as session:  # the right one is tried afresh
            assert session("1") == 1


def test_a_telnet_server_that_asks_unexpectedly_is_left_with_the_reason():
    with Scripted("telnet", b"\xff\xfb\x01Log", b"in: ") as server:
        with opened(server.url) as (_, inbox):
            inbox.until(lambda: bool(inbox.errors), "loss")
        (error,) = inbox.errors
        assert isinstance(error, LinkAccessDenied)
        assert "asks for a login; write telnet://USER:PASSWORD@host" in str(error)


def test_and_create_session_says_so_at_once():
    with TelnetBoard() as board, SessionManager() as manager:
        with pytest.raises(LinkAccessDenied, match="asks for a login"):
            manager.create_session(f"telnet://127.0.0.1:{board.port}")
        assert manager.devices() == ()


def test_a_second_webrepl_client_is_told_that_another_is_connected():
    with WebReplBoard() as board, opened(board.url):
        message = refused(board.url, LinkBusy)
        assert "serves another client; WebREPL has one at a time" in message


def test_neither_the_log_nor_the_error_of_a_session_shows_a_password(board):
    from loguru import logger

    lines = []
    logger.enable("klemheist")
    handler = logger.add(lines.append, level="TRACE", diagnose=False)
    try:
        with SessionManager() as manager, manager.session(board.url) as s:
            s("1")
            go_and_come(manager, board)
            s("2")
            events = manager.snapshot().render()
    finally:
        logger.remove(handler)
        logger.disable("klemheist")
    told = "".join(map(str, lines)) + events
    assert ":python@" not in told
    assert "secret" not in told
    assert "***" in hide_password(board.url)


# -- servers that are none -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ([b"SSH-2.0-OpenSSH_9.2\r\n"], "speaks no HTTP"),
        ([b"\x00\xff" * 50], "speaks no HTTP"),
        ([b"HTTP/1.0 404 Not Found\r\n\r\n"], "is no WebSocket (HTTP 404 Not Found)"),
        ([b"HTTP/1.1 101 Yes\r\n\r\n"], "did not read the WebSocket key"),
        ([b"HTTP/1.1 101 " + b"x" * 20000], "did not read the WebSocket key"),
        ([upgrade, text_frames(b"x" * 20000)], "asks for no login"),
        ([upgrade, b"\x81\x85mask12345"], "(a masked frame) during the login"),
    ],
)
def test_what_is_no_webrepl_is_named(script, says):
    with Scripted("ws", *script) as server:
        assert says in refused(with_password(server.url))


@pytest.mark.parametrize(
    ("scheme", "script"),
    [
        ("ws", []),
        ("ws", [b"HTTP/1.1 101 Switch"]),
        ("ws", [upgrade]),
        ("ws", [upgrade, b"\x81\x0aPassw"]),
        ("ws", [upgrade, text_frames(b"Password: ")]),
        ("telnet", []),
        ("telnet", [b"\xff\xfb\x01\r\nLogin as: "]),
    ],
)
def test_a_server_that_stalls_is_left_at_the_deadline(scheme, script):
    with Scripted(scheme, *script) as server:
        began = time.monotonic()
        url = server.url.replace("//", "//micro:secret@" if scheme == "telnet" else "//:secret@")
        assert "no answer in time" in refused(url, timeout=0.3)
        assert 0.25 < time.monotonic() - began < 5.0


@pytest.mark.parametrize(
    ("scheme", "script"),
    [
        ("ws", [upgrade, text_frames(b"Pass\xf7ord: ")]),
        ("ws", [upgrade, b"\x81\x7e\x40\x00Password: "]),
        ("telnet", [b"\xff\xfaLogin as: "]),
    ],
)
def test_a_login_that_is_damaged_has_a_deadline_of_its_own(scheme, script, monkeypatch):
    monkeypatch.setattr(coded, "GREETING_WITHIN", 0.1)
    with Scripted(scheme, *script) as server:
        assert "no answer in time" in refused(with_password(server.url), LinkTimeout, timeout=3600)


def test_a_server_that_drips_does_not_outlast_the_deadline():
    gone = threading.Event()

    def drip(client):
        while not gone.wait(0.02):
            client.sendall(b"\x89\x00")  # a ping

    with Scripted("ws", upgrade, drip) as server:
        try:
            assert "no answer in time" in refused(with_password(server.url), timeout=0.3)
        finally:
            gone.set()


@pytest.mark.parametrize("script", [[hear], [upgrade]])
def test_a_server_that_hangs_up_before_it_asks_has_another_client(script):
    with Scripted("ws", *script, hang=False) as server:
        assert "another client" in refused(with_password(server.url), LinkBusy)


@pytest.mark.parametrize(
    ("last", "says"),
    [
        (b"\x81\x7e\x01", "closed by its peer"),
        (b"\x88\x02\x03\xe8", "its server ended the WebSocket"),
        (b"\x81\x81maskx", "breaks the WebSocket protocol (a masked frame)"),
        (b"\x83\x00", "breaks the WebSocket protocol (unknown opcode 3)"),
    ],
)
@pytest.mark.parametrize("how", ["read", "driven", "exchanged"])
def test_a_stream_that_ends_or_breaks_is_lost_once_after_its_last_byte(last, says, how):
    ready = threading.Event()
    script = greeted(hear, text_frames(b"last words"), last)
    hang = says != "closed by its peer"
    with Scripted("ws", *script, lambda _: ready.wait(SECONDS), hang=hang) as server:
        with opened(with_password(server.url)) as (link, inbox):
            inbox.take(b">>> ")
            if how == "exchanged":
                link.exchange(lambda: b"go", lambda data: bool(inbox.received(data)), 0.5)
            else:
                link.write(b"go")
            if how == "driven":
                link.drive(lambda: False, 0.2)
            ready.set()
            inbox.until(lambda: bool(inbox.errors), "loss")
            link.write(b"x")
        assert bytes(inbox.data) == b"last words"
        (error,) = inbox.errors
        assert isinstance(error, LinkLost)
        assert says in str(error)


def test_a_ping_on_an_idle_link_is_answered():
    answered = []

    def ping(client):
        client.sendall(b"\x89\x03abc")
        answered.append(client.recv(100))

    with (
        Scripted("ws", *greeted(ping, text_frames(b"done"))) as server,
        opened(with_password(server.url)) as (_, inbox),
    ):
        inbox.take(b"done")
    (pong,) = answered
    mask = pong[2:6]
    assert pong[:2] == b"\x8a\x83"
    assert bytes(a ^ b for a, b in zip(pong[6:], mask, strict=False)) == b"abc"


def test_an_interrupt_overtakes_what_waits_and_tears_no_frame():
    """The server reads nothing until both are sent."""
    go, seen, before = threading.Event(), threading.Event(), []

    def collect(client):
        go.wait(SECONDS)
        decoder = FrameDecoder(client=False)
        while data := client.recv(65536):
            decoder.receive_bytes(data)
            while frame := decoder.process_buffer():
                if frame.payload == b"\x03":
                    seen.set()
                elif not seen.is_set():
                    assert set(frame.payload) == {ord("#")}
                    before.append(len(frame.payload))

    with (
        Scripted("ws", *greeted(collect)) as server,
        opened(with_password(server.url)) as (link, _),
    ):
        link._connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        link.write(b"#" * 3_000_000)
        waiting = link._unsent_bytes
        link.interrupt()
        go.set()
        assert seen.wait(SECONDS)
    assert waiting > 100_000
    assert sum(before) < 3_000_000 - waiting + 50_000


# -- TLS -------------------------------------------------------------------------------------------


@contextlib.contextmanager
def fronted(server, certificate):
    """The URL of a scripted server behind TLS."""
    port = int(server.url.rpartition(":")[2])
    with server, TlsFront("127.0.0.1", port, server_context(certificate)) as front:
        yield f"wss://:secret@127.0.0.1:{front.port}/"


def unheard(server):
    """Let a scripted server end to which nobody has come."""
    with contextlib.suppress(OSError), socket.create_connection(server._server.getsockname()) as it:
        it.sendall(b"x")


@pytest.mark.parametrize(
    ("shown", "trusted", "told"),
    [
        ("server", "", "its certificate is refused (unable to get local issuer certificate); "),
        ("elsewhere", "authority", "its certificate is refused (IP address mismatch, "),
    ],
    ids=["issuer", "host"],
)
def test_a_certificate_that_is_not_trusted_is_refused(certificates, shown, trusted, told):
    server = Scripted("tcp", hang=False)
    with fronted(server, getattr(certificates, shown)) as url:
        ca = f"?ca={getattr(certificates, trusted)}" if trusted else ""
        message = refused(url + ca)
        unheard(server)
    assert told in message
    assert message.endswith("correct the host, or trust its issuer with ?ca=FILE")


def test_a_server_without_tls_is_told_from_one_that_is_not_trusted():
    with Scripted("wss", hear, b"HTTP/1.1 400 Bad Request\r\n\r\n", hang=False) as server:
        message = refused(with_password(server.url))
    assert "no TLS with what answers there (" in message
    assert message.endswith("; ws:// goes without")


def test_a_server_that_hangs_up_or_says_nothing_in_the_handshake():
    with Scripted("wss", hear, hang=False) as server:
        assert "hung up; check that its server speaks TLS" in refused(with_password(server.url))
    with Scripted("wss") as server:
        assert "no answer in time" in refused(with_password(server.url), timeout=0.2)


def test_a_file_of_authorities_that_is_none_is_named(tmp_path):
    (tmp_path / "ca.pem").write_text("nothing")
    for name, told in (("ca.pem", "no certificate or crl found"), ("nix.pem", "No such file")):
        with Scripted("wss") as server:
            message = refused(f"{with_password(server.url)}/?ca={tmp_path}/{name}")
        assert f"ca={tmp_path}/{name}: {told}" in message
        assert message.endswith("give a PEM file of certificates to trust")


def test_a_wrong_password_is_refused_behind_tls_too(certificates):
    asks, denied = text_frames(b"Password: "), text_frames(b"\r\nAccess denied\r\n")
    server = Scripted("tcp", upgrade, asks, hear, denied)
    with fronted(server, certificates.server) as url:
        message = refused(f"{url}?ca={certificates.authority}", LinkAccessDenied)
    assert message.endswith("correct it, as wss://:PASSWORD@host")
