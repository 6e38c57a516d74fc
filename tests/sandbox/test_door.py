"""The host reads nothing of those who do not show the token, and no more than it can use of the others."""

import contextlib
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.sandbox.hosts import Host


def _answer(host: Host, head: str, token: str | None) -> bytes:
    """What comes back for a head whose body never comes, until the connection is closed."""
    url = urlsplit(host.url)
    lines = [head, "Host: sandbox", *([f"Authorization: Bearer {token}"] if token else [])]
    with socket.create_connection((url.hostname, url.port), timeout=10) as opened:
        opened.sendall("\r\n".join([*lines, "Content-Length: 99999999999", "", ""]).encode())
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while data := opened.recv(65536):
                received += data
    return received


@pytest.mark.parametrize("method", ["POST /sessions/x/executions", "PUT /sessions/x/files/a.txt", "PUT /sessions/x"])
@pytest.mark.parametrize("token", [None, "guessed", "ключ"])
def test_a_body_of_a_stranger_is_not_waited_for(host: Host, method: str, token: str | None) -> None:
    answer = _answer(host, f"{method} HTTP/1.1", token)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"unauthorized" in answer


def test_a_body_that_is_too_long_is_not_waited_for(host: Host) -> None:
    answer = _answer(host, "POST /sessions/x/executions HTTP/1.1", host.token)
    assert answer.startswith(b"HTTP/1.1 413 ")


def _spaces(megabytes: int) -> Iterator[bytes]:
    for _ in range(megabytes):
        yield b" " * 2**20


def test_a_body_that_does_not_say_how_long_it_is_ends_somewhere(host: Host) -> None:
    headers = {"Authorization": f"Bearer {host.token}", "Content-Type": "application/json"}
    url = f"{host.url}/sessions/x/executions"
    with contextlib.suppress(httpx2.TransportError):  # it may be cut off while it is being sent
        answer = httpx2.post(url, content=_spaces(20), headers=headers, timeout=20)
        assert answer.status_code in (400, 413)
    assert httpx2.get(f"{host.url}/healthz").status_code == 200
