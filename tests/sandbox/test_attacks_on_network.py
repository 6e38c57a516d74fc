"""Ways to whatever can be reached over a network or a socket. Tried for real, for every launcher."""

import http.server
import secrets
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.sandbox.attacks import EVERY_LAUNCHER, held
from tests.sandbox.hosts import Host
from workers.sandbox import SandboxSession

pytestmark = EVERY_LAUNCHER


@pytest.fixture
def listener() -> Iterator[int]:
    """A service of this machine, on loopback."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


async def test_no_address_can_be_reached(session: SandboxSession, host: Host, listener: int) -> None:
    name = f"locum-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX) as abstract:
        # A name without a file: only a network namespace keeps it apart.
        abstract.bind(f"\0{name}")
        abstract.listen()
        code = f"""
import os, socket
reached = []
targets = [("127.0.0.1", {listener}), ("127.0.0.1", {host.url.rsplit(":", 1)[1]}), ("192.0.2.1", 80), ("8.8.8.8", 53)]
for target in targets:
    try:
        socket.create_connection(target, timeout=1).close()
        reached.append(target)
    except OSError:
        pass
try:
    socket.socket(socket.AF_UNIX).connect("\\0{name}")
    reached.append("abstract")
except OSError:
    pass
for path in ("/var/run/docker.sock", "/run/dbus/system_bus_socket", "/run/systemd/private"):
    if os.path.exists(path):
        reached.append(path)
try:
    socket.getaddrinfo("localhost.example", 80)
    reached.append("names")
except OSError:
    pass
print(reached, [interface for _, interface in socket.if_nameindex()])
"""
        assert await held(session, code) == "[] ['lo']"


async def test_raw_and_foreign_sockets_are_refused(session: SandboxSession) -> None:
    code = """
import socket
for family, kind in ((2, socket.SOCK_RAW), (17, socket.SOCK_RAW), (40, socket.SOCK_STREAM), (38, socket.SOCK_SEQPACKET),
                     (16, socket.SOCK_RAW)):
    try:
        made = socket.socket(family, kind, 2 if family == 16 else 0)
        print("made", family, kind)
    except OSError:
        pass
"""
    assert await held(session, code) == ""
