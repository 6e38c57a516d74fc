"""A network between Locum and its servers: connections that can be cut at the worst moment or fall silent, and a load
balancer."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from tests.faults.relay import Relay

_CONNECT_SECONDS = 2
#: Postgres on a Unix socket, below a folder.
_POSTGRES = ".s.PGSQL.5432"


def _connected(path: Path) -> socket.socket:
    server = socket.socket(socket.AF_UNIX)
    try:
        server.connect(str(path))
    except OSError:
        server.close()
        raise
    return server


@contextlib.contextmanager
def before_postgres(sockets: Path, folder: Path) -> Iterator[Relay]:
    """A relay on a Unix socket in `folder` to the Postgres whose socket is in `sockets`."""

    def connect() -> socket.socket:
        return _connected(sockets / _POSTGRES)

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
            return _connected(Path(parts.path))
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
