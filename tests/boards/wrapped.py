"""Boards behind WebREPL and Telnet servers, spoken by an independent library or by hand.

with WebReplBoard("sim:", password="secret") as board:
    ...  # a device on board.url; the rest is as TcpBoard has it

`python -m tests.boards.wrapped ws` is an echo behind such a server, in a process of its own; with
`wss FILE` it is behind TLS, too.
"""

from __future__ import annotations

import os
import re
import socket
import sys
import threading

from wsproto.connection import ConnectionType
from wsproto.events import AcceptConnection, Request
from wsproto.frame_protocol import FrameDecoder, Opcode, ParseFailed
from wsproto.handshake import H11Handshake
from wsproto.utilities import RemoteProtocolError

from tests.boards.tcp_board import Client, TcpBoard
from tests.boards.tls import TlsFront, server_context

IAC, DONT, DO, WONT, WILL = b"\xff", b"\xfe", b"\xfd", b"\xfc", b"\xfb"
BINARY, ECHO, SGA = b"\x00", b"\x01", b"\x03"
COMMAND = re.compile(
    rb"\xff(?:(\xff)|[\xfb-\xfe](.)|[^\xff\xfb-\xfe])|(\xff[\xfb-\xfe]?\Z)", re.DOTALL
)


BROKEN = (OSError, UnicodeDecodeError, ParseFailed, RemoteProtocolError)
"""What ends a connection: it is gone, or its bytes were damaged."""


class Wrapped(Client):
    """A client that is greeted first; the board's output waits for that."""

    def __init__(self, accepted: socket.socket, password: str, user: str = "") -> None:
        super().__init__(accepted)
        self._password, self._user = password, user
        self._greeted = threading.Event()
        self._is_in = False

    def read(self) -> bytes:
        if not self._greeted.is_set():
            try:
                self._is_in = self.greet()
            except BROKEN:
                self._is_in = False
            self._greeted.set()
        try:
            return self.unwrap() if self._is_in else b""
        except BROKEN:
            return b""

    def write(self) -> None:
        self._greeted.wait()
        if self._is_in:
            super().write()

    def close(self) -> None:
        self._greeted.set()
        super().close()

    def line(self) -> str:
        text = b""
        while not text.endswith((b"\r", b"\n", b"\0")):
            if not (more := self.unwrap()):
                raise OSError
            text += more
        return text.decode().strip("\r\n\0")

    def send(self, data: bytes) -> None:
        self._socket.sendall(self.wrap(data))

    def greet(self) -> bool:
        raise NotImplementedError

    def wrap(self, data: bytes) -> bytes:
        raise NotImplementedError

    def unwrap(self) -> bytes:
        raise NotImplementedError


def text_frames(data: bytes, size: int = 100) -> bytes:
    """Cut anywhere, as MicroPython does; never longer than a one-byte length tells."""
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(bytes((0x81, len(piece))) + piece for piece in pieces)


class WebReplClient(Wrapped):
    """What MicroPython's `webrepl.py` and `modwebrepl.c` do."""

    def upgrade(self) -> bool:
        handshake = H11Handshake(ConnectionType.SERVER)
        while data := self._socket.recv(4096):
            # MicroPython compares the name letter by letter.
            handshake.receive_data(data.replace(b"sec-websocket-key", b"x-key"))
            for event in handshake.events():
                assert isinstance(event, Request)
                self._socket.sendall(handshake.send(AcceptConnection()))
                self._frames = FrameDecoder(client=False)
                return True
        return False

    def greet(self) -> bool:
        if not self.upgrade():
            return False
        self.send(b"Password: ")
        if self.line() != self._password:
            self.send(b"\r\nAccess denied\r\n")
            return False
        self.send(b"\r\nWebREPL connected\r\n>>> ")
        return True

    def wrap(self, data: bytes) -> bytes:
        return text_frames(data)

    def unwrap(self) -> bytes:
        while True:
            payload = b""
            while frame := self._frames.process_buffer():
                if frame.opcode is Opcode.CLOSE:
                    return b""
                if frame.opcode in {Opcode.TEXT, Opcode.CONTINUATION}:  # as the file channel is not
                    payload += bytes(frame.payload)
            if payload:
                return payload
            if not (raw := self.read_raw()):
                return b""
            self._frames.receive_bytes(raw)


class TelnetClient(Wrapped):
    """A server as boards have them: it echoes, goes without go-ahead, and asks who is there."""

    _rest = b""

    def greet(self) -> bool:
        self._socket.sendall(IAC + WILL + ECHO + IAC + WILL + SGA + IAC + b"\xf1")
        while self._password:
            self.send(b"Login as: ")
            user = self.line()
            self.send(b"Password: ")
            if (user, self.line()) == (self._user, self._password):
                self.send(b'\r\nLogin succeeded!\r\nType "help()" for more information.\r\n>>> ')
                break
            self.send(b"\r\nInvalid credentials, try again.\r\n")
        return True

    def wrap(self, data: bytes) -> bytes:
        return data.replace(IAC, IAC + IAC)

    def unwrap(self) -> bytes:
        while raw := self.read_raw():
            raw, self._rest = self._rest + raw, b""
            if plain := COMMAND.sub(self._command, raw):
                return plain
        return b""

    def _command(self, found: re.Match[bytes]) -> bytes:
        if found[3]:
            self._rest = found[3]
        elif found[0] == IAC + DO + BINARY:
            self._socket.sendall(IAC + WILL + BINARY)
        elif found[0] == IAC + WILL + BINARY:
            self._socket.sendall(IAC + DO + BINARY)
        return found[1] or b""


class WebReplBoard(TcpBoard):
    """One client at a time: a second one is hung up on."""

    def __init__(self, board: str = "sim:", password: str = "secret") -> None:
        self.password = password
        super().__init__(board)

    @property
    def url(self) -> str:
        return f"ws://:{self.password}@{self.host}:{self.port}"

    def _admit(self, accepted: socket.socket) -> Client | None:
        if self.is_bare:
            return super()._admit(accepted)
        client = WebReplClient(accepted, self.password)
        if self._client is None or self._client.has_left():
            return client
        client.upgrade()
        client.close()
        return None


class SecureWebReplBoard(WebReplBoard):
    """The same behind a server that ends TLS; it shows `certificate`, by `authority`."""

    def __init__(self, certificate: str, authority: str, board: str = "sim:") -> None:
        super().__init__(board)
        self._authority = authority
        self.front = TlsFront(self.host, self.port, server_context(certificate))

    @property
    def url(self) -> str:
        return f"wss://:{self.password}@{self.host}:{self.front.port}/?ca={self._authority}"

    def close(self) -> None:
        super().close()
        self.front.close()


class TelnetBoard(TcpBoard):
    def __init__(self, board: str = "sim:", user: str = "micro", password: str = "python") -> None:
        self.user, self.password = user, password
        super().__init__(board)

    @property
    def url(self) -> str:
        login = f"{self.user}:{self.password}@" if self.password else ""
        return f"telnet://{login}{self.host}:{self.port}"

    def _admit(self, accepted: socket.socket) -> Client | None:
        if self.is_bare:
            return super()._admit(accepted)
        self.drop()
        return TelnetClient(accepted, self.password, self.user)


def echo(kind: type[Wrapped], password: str, user: str = "", certificate: str = "") -> None:
    """Serve one client after the other, until standard input ends."""
    threading.Thread(target=lambda: os._exit(len(os.read(0, 1))), daemon=True).start()
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    front = TlsFront("127.0.0.1", port, server_context(certificate)) if certificate else None
    print(front.port if front else port, flush=True)
    while True:
        client = kind(server.accept()[0], password, user)
        try:
            while data := client.read():
                client.send(data)
                if data == b"deaf":
                    threading.Event().wait()
        except OSError:
            pass
        client.close()


if __name__ == "__main__":
    if sys.argv[1].startswith("ws"):
        echo(WebReplClient, "secret", certificate="".join(sys.argv[2:]))
    echo(TelnetClient, "python" if sys.argv[1] == "login" else "", "micro")
