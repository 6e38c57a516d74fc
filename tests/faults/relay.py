"""Connections that are passed on, and what can be wrong with them: they are cut, held, silent, slow or torn."""

import contextlib
import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

#: Before the server has heard of the commit, or after: then it is done, and who asked for it does not know.
Moment = Literal["before", "after"]

_PIECE = 2**16
#: How long a silenced connection stays: whoever waits on it has given it up by then, and the server has room again.
_SILENT_SECONDS = 20
#: With this a closed connection is reset: it says nothing of an end, and forgets what was on its way.
_RESET = struct.pack("ii", 1, 0)


class Slowness(NamedTuple):
    """How slow a network is: each piece waits for up to `seconds`, and comes in `parts`, of one byte but for the last.

    The connections share nothing: as where packets are lost and sent again, one waits and the others do not.
    """

    seconds: float
    parts: int


class _Connection:
    """One of a relay's, and what happens to it."""

    def __init__(self) -> None:
        self.silenced = threading.Event()
        #: To be reset in the middle of the next piece that is passed to the client.
        self.tears = threading.Event()


class Relay:
    """Takes connections and passes on what they say, each on two threads, to whom `connect` gives."""

    def __init__(self, listener: socket.socket, connect: Callable[[], socket.socket]) -> None:
        self._listener = listener
        self._connect = connect
        self._lock = threading.Lock()
        self._cuts: list[Moment] = []
        self._open: set[_Connection] = set()
        self._connections = 0
        self._closing = threading.Event()
        self._held = threading.Event()
        self._held.set()
        self._slowness: Slowness | None = None
        self._chance = random.Random(1)
        self._thread = threading.Thread(target=self._accept, name="relay", daemon=True)
        self._thread.start()

    def cut_commits(self, *moments: Moment) -> None:
        """Has the next commits cut off, one connection each."""
        with self._lock:
            self._cuts.extend(moments)

    def cut_no_more(self) -> int:
        """Forgets the cuts that have not happened; gives their number."""
        with self._lock:
            left, self._cuts = len(self._cuts), []
        return left

    @property
    def connections(self) -> int:
        """How many connections were taken so far."""
        return self._connections

    def silence(self, share: float = 1) -> None:
        """Has connections of this moment stay for a while, and pass nothing on any more: all, or a share of them."""
        for connection in self._some(share):
            connection.silenced.set()

    def tear(self, share: float = 1) -> None:
        """Has connections of this moment reset in the middle of what they are told next: all, or a share of them."""
        for connection in self._some(share):
            connection.tears.set()

    def hold(self) -> None:
        """Has all connections, also those to come, pass nothing on, until `let_go`; nothing is lost."""
        self._held.clear()

    def let_go(self) -> None:
        """Passes on what was held."""
        self._held.set()

    @contextlib.contextmanager
    def slow(self, slowness: Slowness) -> Iterator[None]:
        """Has everything come late and in parts during the block."""
        self._slowness = slowness
        try:
            yield
        finally:
            self._slowness = None

    def redirect(self, connect: Callable[[], socket.socket]) -> None:
        """Has later connections lead elsewhere."""
        self._connect = connect

    def close(self) -> None:
        """Takes no more connections."""
        self._closing.set()
        self._held.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _some(self, share: float) -> list[_Connection]:
        with self._lock:
            found = list(self._open)
        return [one for one in found if self._chance.random() < share]

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._connections += 1
                threading.Thread(target=self._serve, args=(client,), name="relayed", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            server = self._connect()
        except OSError:
            client.close()
            return
        connection = _Connection()
        with self._lock:
            self._open.add(connection)
        arguments = (server, client, connection)
        back = threading.Thread(target=self._pass_back, args=arguments, name="relayed back", daemon=True)
        back.start()
        with contextlib.suppress(OSError):
            while piece := client.recv(_PIECE):
                self._pause(connection)
                moment = self._moment() if b"COMMIT" in piece else None
                if moment == "before":
                    break
                self._send(server, piece)
                if moment == "after":
                    # The first word of the answer says that it is done; the client does not hear it.
                    with contextlib.suppress(OSError):
                        client.shutdown(socket.SHUT_RDWR)
                    break
        _end(server)
        back.join()
        with self._lock:
            self._open.discard(connection)
        client.close()
        server.close()

    def _moment(self) -> Moment | None:
        with self._lock:
            return self._cuts.pop() if self._cuts else None

    def _pause(self, connection: _Connection) -> None:
        """Waits while nothing is to be passed on. Raises OSError at the end of a connection that has been silenced."""
        self._held.wait()
        if connection.silenced.is_set():
            self._closing.wait(_SILENT_SECONDS)
            raise ConnectionAbortedError

    def _send(self, to: socket.socket, piece: bytes) -> None:
        slowness = self._slowness
        if slowness is not None:
            for _ in range(min(slowness.parts, len(piece)) - 1):
                self._closing.wait(self._chance.uniform(0, slowness.seconds / slowness.parts))
                to.sendall(piece[:1])
                piece = piece[1:]
            self._closing.wait(self._chance.uniform(0, slowness.seconds / slowness.parts))
        to.sendall(piece)

    def _pass_back(self, server: socket.socket, client: socket.socket, connection: _Connection) -> None:
        with contextlib.suppress(OSError):
            while piece := server.recv(_PIECE):
                self._pause(connection)
                if connection.tears.is_set():
                    client.sendall(piece[: len(piece) // 2])
                    with contextlib.suppress(OSError):
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                        # Wakes the other thread, which closes both.
                        client.shutdown(socket.SHUT_RD)
                    break
                self._send(client, piece)
        _end(client)


def _end(connection: socket.socket) -> None:
    """Says that nothing more comes."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
