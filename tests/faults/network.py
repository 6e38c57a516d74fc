"""A network between Locum and its servers: connections that can be cut at the worst moment or fall silent, and a load
balancer."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

#: Before the server has heard of the commit, or after: then it is done, and who asked for it does not know.
Moment = Literal["before", "after"]

_PIECE = 2**16
_CONNECT_SECONDS = 2
#: Postgres on a Unix socket, below a folder.
_POSTGRES = ".s.PGSQL.5432"


class Relay:
    """Takes connections and passes on what they say, each on two threads, to whom `connect` gives."""

    def __init__(self, listener: socket.socket, connect: Callable[[], socket.socket]) -> None:
        self._listener = listener
        self._connect = connect
        self._cutting = threading.Lock()
        self._cuts: list[Moment] = []
        self._silenced = threading.Event()
        self._connections = 0
        self._closing = threading.Event()
        self._held = threading.Event()
        self._held.set()
        self._thread = threading.Thread(target=self._accept, name="relay", daemon=True)
        self._thread.start()

    def cut_commits(self, *moments: Moment) -> None:
        """Has the next commits cut off, one connection each."""
        with self._cutting:
            self._cuts.extend(moments)

    def cut_no_more(self) -> int:
        """Forgets the cuts that have not happened; gives their number."""
        with self._cutting:
            left, self._cuts = len(self._cuts), []
        return left

    @property
    def connections(self) -> int:
        """How many connections were taken so far."""
        return self._connections

    def silence(self) -> None:
        """Has all connections of this moment stay, and pass nothing on any more; later ones do."""
        silenced, self._silenced = self._silenced, threading.Event()
        silenced.set()

    def hold(self) -> None:
        """Has all connections, also those to come, pass nothing on, until `let_go`; nothing is lost."""
        self._held.clear()

    def let_go(self) -> None:
        """Passes on what was held."""
        self._held.set()

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

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._connections += 1
                threading.Thread(target=self._serve, args=(client,), name="relayed", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        silenced = self._silenced
        try:
            server = self._connect()
        except OSError:
            client.close()
            return
        back = threading.Thread(
            target=self._pass_back, args=(server, client, silenced), name="relayed back", daemon=True
        )
        back.start()
        with contextlib.suppress(OSError):
            while piece := client.recv(_PIECE):
                self._pause(silenced)
                moment = self._moment() if b"COMMIT" in piece else None
                if moment == "before":
                    break
                server.sendall(piece)
                if moment == "after":
                    # The first word of the answer says that it is done; the client does not hear it.
                    with contextlib.suppress(OSError):
                        client.shutdown(socket.SHUT_RDWR)
                    break
        _end(server)
        back.join()
        client.close()
        server.close()

    def _moment(self) -> Moment | None:
        with self._cutting:
            return self._cuts.pop() if self._cuts else None

    def _pause(self, silenced: threading.Event) -> None:
        """Waits while nothing is to be passed on; for ever, if the connection has been silenced."""
        self._held.wait()
        if silenced.is_set():
            self._closing.wait()

    def _pass_back(self, server: socket.socket, client: socket.socket, silenced: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while piece := server.recv(_PIECE):
                self._pause(silenced)
                client.sendall(piece)
        _end(client)


def _end(connection: socket.socket) -> None:
    """Says that nothing more comes."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def before_postgres(sockets: Path, folder: Path) -> Iterator[Relay]:
    """A relay on a Unix socket in `folder` to the Postgres whose socket is in `sockets`."""

    def connect() -> socket.socket:
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(str(sockets / _POSTGRES))
        except OSError:
            server.close()
            raise
        return server

    path = folder / _POSTGRES
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(128)
    relay = Relay(listener, connect)
    try:
        yield relay
    finally:
        relay.close()
        path.unlink()


@contextlib.contextmanager
def before(url: str) -> Iterator[tuple[Relay, int]]:
    """A relay on a TCP port to the server whose host and port, or Unix socket, `url` names; gives it and its port."""
    parts = urlsplit(url)

    def connect() -> socket.socket:
        if parts.scheme == "unix":
            server = socket.socket(socket.AF_UNIX)
            server.connect(parts.path)
            return server
        return socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 0), _CONNECT_SECONDS)

    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        relay = Relay(listener, connect)
        try:
            yield relay, listener.getsockname()[1]
        finally:
            relay.close()


@contextlib.contextmanager
def before_apis(ports: list[int]) -> Iterator[int]:
    """A load balancer: gives the port at which whichever of the APIs on `ports` takes connections is reached."""

    def connect() -> socket.socket:
        for port in ports:
            with contextlib.suppress(OSError):
                return socket.create_connection(("127.0.0.1", port), _CONNECT_SECONDS)
        raise ConnectionRefusedError

    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        relay = Relay(listener, connect)
        try:
            yield listener.getsockname()[1]
        finally:
            relay.close()
