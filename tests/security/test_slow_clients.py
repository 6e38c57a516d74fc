"""Clients that begin and do not go on: with the head of a request, with its body, or with reading the answer.

None of them holds a connection to the database meanwhile, and each is given up in time.
"""

import contextlib
import socket
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from http.client import HTTPResponse
from typing import Final

import httpx2
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.main import create_app
from tests.api.test_errors import error_of, settings_of
from tests.running import Locum, free_port, wait_for
from tests.security.held_connections import IS_OF_REQUEST, HeldConnections
from tests.security.operations import OPERATIONS, Operation

_TIMEOUT: Final = 2.0
#: More than the connections to the database.
_MANY: Final = 14
#: What a busy machine may take for an answer that is due at once.
_SOON: Final = 8.0

_GET: Final = b"GET /healthz HTTP/1.1\r\nHost: locum\r\n\r\n"
_KEPT_BY_CLIENTS: Final = 5.0

_POSTS: Final = [operation for operation in OPERATIONS if operation.method == "POST"]


@pytest.fixture(scope="module")
def api(locum: Locum) -> Iterator[Locum]:
    """A second API, which gives clients two seconds."""
    port = free_port()
    environment = {**locum.environment, "LOCUM_CLIENT_TIMEOUT": str(_TIMEOUT), "LOCUM_PORT": str(port)}
    second = replace(locum, environment=environment, port=port, processes={})
    try:
        second.start("api of slow clients", "api")
        second.wait_until_ready()
        yield second
    finally:
        for name in list(second.processes):
            second.stop(name)


def _connected(api: Locum, sent: bytes, **options: int) -> socket.socket:
    opened = socket.socket()
    for name, value in options.items():
        opened.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
    opened.settimeout(20)
    opened.connect(("127.0.0.1", api.port))
    opened.sendall(sent)
    return opened


def _head(api: Locum, operation: Operation, ids: dict[str, str], key: str, *, chunked: bool = False) -> bytes:
    path = operation.path.format_map(ids)
    kind = 'multipart/form-data; boundary="b"' if operation.wants_form else "application/json"
    lines = [
        f"{operation.method} {path} HTTP/1.1",
        "Host: locum",
        f"Authorization: Bearer {api.api_key}",
        f"OpenAI-Beta: assistants={operation.edition}",
        f"Content-Type: {kind}",
        "Transfer-Encoding: chunked" if chunked else "Content-Length: 10",
        f"Idempotency-Key: {key}",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def _answer(opened: socket.socket) -> bytes:
    """All that comes until the connection is closed."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while data := opened.recv(65536):
            received += data
    return received


@pytest.mark.parametrize("operation", [one for one in _POSTS if one.edition == "v2"][::4], ids=str)
def test_half_sent_bodies_hold_no_connection(
    api: Locum, http: httpx2.Client, ids: dict[str, str], operation: Operation
) -> None:
    with contextlib.ExitStack() as closing:
        for number in range(_MANY):
            head = _head(api, operation, ids, f"half-{operation}-{number}", chunked=number % 2 == 1)
            closing.enter_context(contextlib.closing(_connected(api, head)))
        began = time.monotonic()
        assert http.post(f"{api.base_url}/threads", json={}).status_code == 200
        assert time.monotonic() - began < _TIMEOUT


@pytest.mark.parametrize("path", ["/v1/threads", "/v1/files", "/v1/chat/completions"])
@pytest.mark.parametrize("sent", [b"", b"--"], ids=["nothing of the body", "a part of it"])
def test_a_body_that_stops_coming_is_answered_408(api: Locum, path: str, sent: bytes) -> None:
    (operation,) = [one for one in _POSTS if one.path == path and one.edition == "v2"]
    with contextlib.closing(_connected(api, _head(api, operation, {}, f"stops-{len(sent)}") + sent)) as opened:
        answer = _answer(opened)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 "), answer
    assert b"connection: close" in head.lower()
    error = httpx2.Response(408, content=body, headers={"content-type": "application/json"}).json()["error"]
    assert error["type"] == "invalid_request_error"
    assert "body of the request" in error["message"]


def test_a_body_that_trickles_is_given_up(api: Locum) -> None:
    (operation,) = [one for one in _POSTS if one.path == "/v1/threads" and one.edition == "v2"]
    head = _head(api, operation, {}, "trickles").replace(b"Length: 10", b"Length: 1000")
    with contextlib.closing(_connected(api, head)) as opened:
        opened.settimeout(_TIMEOUT / 5)
        began = time.monotonic()
        received = b""
        while not received and time.monotonic() - began < _SOON:
            with contextlib.suppress(TimeoutError):
                received = opened.recv(65536)
                break
            opened.sendall(b" ")
    assert received.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        (b"", b""),
        (b"GET /healthz HTTP/1.1\r\nHost: lo", b"HTTP/1.1 408 "),
        (b"G", b"HTTP/1.1 408 "),
        (b"GET /healthz HTTP/1.1\r\nHost: locum\r\n\r\n", b"HTTP/1.1 200 "),
        (b"GET /healthz HTTP/1.1\r\nHost: locum\r\n\r\n\r\n", b"HTTP/1.1 200 "),
        (b"GET /healthz HTTP/1.1\r\nHost: locum\r\n\r\nGET /he", b"HTTP/1.1 200 "),
    ],
    ids=["nothing", "half a head", "one byte", "idle", "an empty line behind", "half of a second one"],
)
def test_a_connection_without_a_request_is_closed(api: Locum, sent: bytes, answered: bytes) -> None:
    with contextlib.closing(_connected(api, sent)) as opened:
        assert _answer(opened).startswith(answered)


def test_a_slow_but_steady_upload_is_taken(api: Locum) -> None:
    def slowly() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nassistants\r\n'
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
        deadline = time.monotonic() + 2 * _TIMEOUT
        while time.monotonic() < deadline:
            yield b"x" * 2000
            time.sleep(_TIMEOUT / 6)
        yield b"\r\n--b--\r\n"

    headers = {"Authorization": f"Bearer {api.api_key}", "Content-Type": "multipart/form-data; boundary=b"}
    answer = httpx2.post(f"{api.base_url}/files", content=slowly(), headers=headers, timeout=30)
    assert answer.status_code == 200, answer.text


def test_an_answer_that_nobody_reads_is_dropped(api: Locum) -> None:
    with api.client() as client:
        file = client.files.create(file=("large.txt", b"x" * 40 * 2**20), purpose="assistants")
    asked = f"GET /v1/files/{file.id}/content HTTP/1.1\r\nHost: l\r\nAuthorization: Bearer {api.api_key}\r\n\r\n"
    with contextlib.closing(_connected(api, asked.encode(), SO_RCVBUF=4096)):
        log = api.logs / "api of slow clients.log"
        wait_for(lambda: "client_does_not_read" in log.read_text(), "the connection to be dropped")


def test_idle_connections_keep_nobody_waiting(api: Locum, http: httpx2.Client) -> None:
    with contextlib.ExitStack() as closing:
        for _ in range(400):
            closing.enter_context(contextlib.closing(_connected(api, b"POST /v1/threads HTTP/1.1\r\n")))
        began = time.monotonic()
        assert http.post(f"{api.base_url}/threads", json={}).status_code == 200
        assert time.monotonic() - began < _SOON


@pytest.fixture(scope="module", autouse=True)
def idle_connection(locum: Locum) -> Iterator[tuple[socket.socket, float]]:
    """A connection that is idle from the first test of this module on, and the time since when."""
    with contextlib.closing(_connected(locum, _GET)) as opened:
        assert _status(opened) == 200
        yield opened, time.monotonic()


def _status(opened: socket.socket) -> int:
    """The status of an answer that is read whole, in however many pieces it comes."""
    answer = HTTPResponse(opened)
    answer.begin()
    answer.read()
    return answer.status


def test_an_idle_connection_is_kept_longer_than_clients_keep_theirs(
    idle_connection: tuple[socket.socket, float],
) -> None:
    """Python's clients keep one for five seconds: were that the server's limit, too, requests would meet its end."""
    opened, since = idle_connection
    time.sleep(max(0.0, since + 1.2 * _KEPT_BY_CLIENTS - time.monotonic()))
    opened.sendall(_GET)
    assert _status(opened) == 200


class _Watched:
    """An application whose `receive` tells how many connections to the database a request holds while it waits."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.connections = HeldConnections()
        self.held: list[int] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body_is_due = True

        async def receive_watched() -> Message:
            nonlocal body_is_due
            if body_is_due:
                self.held.append(len(self.connections))
            message = await receive()
            body_is_due = message["type"] == "http.request" and message.get("more_body", False)
            return message

        await self.app(scope, receive_watched, send)


@pytest.fixture(scope="module")
async def watched(locum: Locum) -> AsyncIterator[tuple[_Watched, httpx2.AsyncClient]]:
    app = create_app(settings_of(locum, sweep_seconds=3600))
    watched = _Watched(app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(
            transport=httpx2.ASGITransport(watched, raise_app_exceptions=False),
            base_url="http://locum.test",
            headers={"Authorization": f"Bearer {locum.api_key}"},
        ) as client,
    ):
        watched.connections.look_at(app.state.sessions.engine)
        yield watched, client


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
async def test_no_client_is_awaited_with_a_connection(
    watched: tuple[_Watched, httpx2.AsyncClient], ids: dict[str, str], operation: Operation
) -> None:
    app, client = watched
    app.held.clear()
    headers = {**operation.headers, "Idempotency-Key": f"watched-{operation}", "content-type": "application/json"}

    async def body() -> AsyncIterator[bytes]:
        yield b"{"
        yield b'"no_such_field": 1}'

    # Ids that nobody has: nothing is made, changed or deleted, and all that comes before is.
    path = operation.path.format_map(dict.fromkeys(ids, "none"))
    IS_OF_REQUEST.set(True)
    answer = await client.request(operation.method, path, content=body(), headers=headers)
    assert answer.status_code < 500, error_of(answer, answer.status_code)
    assert set(app.held) <= {0}, f"{operation}: {app.held}"


async def test_those_requests_took_connections(watched: tuple[_Watched, httpx2.AsyncClient]) -> None:
    """So that a request which held one would have been seen."""
    assert watched[0].connections.taken > len(OPERATIONS)
