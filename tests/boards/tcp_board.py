"""A board behind TCP that lives on while connections come and go.

with TcpBoard("sim:") as board:
    ...  # a device on board.url
    board.drop()             # the cable is pulled: the interpreter keeps its RAM
    board.refuse(True)       # and nobody answers for a while
    board.refuse(False)      # back, with the same boot
    board.kill()             # the board itself dies, and every connection with it
    board.respawn()          # power again: a new boot at the same address
"""

from __future__ import annotations

import contextlib
import socket
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Self

from klemheist.transports.registry import create_link

if TYPE_CHECKING:
    from klemheist.transports.errors import LinkError
    from klemheist.transports.link import Link


class TcpBoard:
    """One board, one client at a time; what the board says while nobody is connected is lost."""

    def __init__(self, board: str = "sim:") -> None:
        self._board = board
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._listener: socket.socket | None = None
        self._acceptor: threading.Thread | None = None
        self._link: Link | None = None
        self.host, self.port = "127.0.0.1", 0
        self.is_bare = False
        """Whether whoever connects gets the board's own bytes, whatever the server speaks else."""
        self.connections = 0
        """How many clients have been accepted so far."""
        self.respawn()
        try:
            self.refuse(False)
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        return f"tcp://{self.host}:{self.port}"

    @property
    def link(self) -> Link | None:
        """What leads to the board itself; None while it is dead."""
        return self._link

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave no socket, thread or process."""
        self.refuse(True)
        self.kill()

    def refuse(self, refuse: bool) -> None:
        """Refuse new connections, or accept them again at the same address."""
        if refuse:
            listener, acceptor = self._listener, self._acceptor
            self._listener = self._acceptor = None
            if listener:
                with contextlib.suppress(OSError):
                    listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
                listener.close()
            if acceptor:
                acceptor.join()
        elif self._listener is None:
            self._listener = socket.create_server((self.host, self.port), backlog=4)
            self.port = self._listener.getsockname()[1]
            self._acceptor = threading.Thread(
                target=self._accept, args=(self._listener,), daemon=True, name="tcp-board"
            )
            self._acceptor.start()

    def drop(self) -> None:
        """Close the client's connection; the board does not notice."""
        with self._lock:
            client, self._client = self._client, None
        if client:
            client.close()

    def kill(self) -> None:
        """Kill the board's process; a client loses its connection, and a new one meets no board."""
        link, self._link = self._link, None
        if link:
            link.close()
        self.drop()

    def respawn(self) -> None:
        """Start the board again after `kill`: a new boot."""
        link = create_link(self._board)
        link.open(self)
        self._link = link

    # --- the board's side (a Receiver) ---

    def received(self, data: bytes) -> None:
        client = self._client
        if client:
            client.outbox.put(data)

    def lost(self, error: LinkError) -> None:
        self.drop()

    # --- the client's side ---

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                accepted, _ = listener.accept()
            except OSError:
                return
            client = self._admit(accepted)
            if client is None:
                continue
            with self._lock:
                self._client = client
                self.connections += 1
            threading.Thread(target=client.write, daemon=True).start()
            threading.Thread(target=self._pump, args=(client,), daemon=True).start()

    def _admit(self, accepted: socket.socket) -> Client | None:
        self.drop()  # the newest client wins, as when a cable is plugged in elsewhere
        return Client(accepted)

    def _pump(self, client: Client) -> None:
        while data := client.read():
            link = self._link
            if link is None:
                break
            link.write(data)
        with self._lock:
            if self._client is client:
                self._client = None
        client.close()


class Client:
    """One connection. It has a thread that writes: a `Receiver` may not wait for a slow client."""

    def __init__(self, accepted: socket.socket) -> None:
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = accepted
        self.outbox: SimpleQueue[bytes] = SimpleQueue()

    def read(self) -> bytes:
        return self.read_raw()

    def read_raw(self) -> bytes:
        try:
            return self._socket.recv(65536)
        except OSError:
            return b""

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def has_left(self) -> bool:
        """Whether it has closed, though nobody may have read so far."""
        try:
            return not self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def write(self) -> None:
        with contextlib.suppress(OSError):
            while data := self.outbox.get():
                self.send(data)

    def close(self) -> None:
        self.outbox.put(b"")
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes whoever is in recv() or sendall()
        self._socket.close()
