"""Ports: whether one can be had, and one that nobody has."""

import errno
import socket
import time

from app.embedded.errors import CannotStart

_POLL_SECONDS = 0.05


def check(host: str, port: int, *, wait_seconds: float = 0) -> None:
    """Raises `CannotStart` unless this process could listen there. Waits a little for one that ends. Blocks."""
    deadline = time.monotonic() + wait_seconds
    while (problem := _try(host, port)) is not None:
        if time.monotonic() >= deadline:
            raise CannotStart(problem)
        time.sleep(_POLL_SECONDS)


def free() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _try(host: str, port: int) -> str | None:
    """What keeps us from listening there, in one line."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in found:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(address)
                probe.listen(1)
    except socket.gaierror as error:
        return f"cannot listen on {host}: {error.strerror}"
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return f"port {port} on {host} is taken: stop what listens there, or choose another with --port"
        return f"cannot listen on port {port} of {host}: {error.strerror}"
    return None
