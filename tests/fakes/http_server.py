"""A small HTTP/1.1 server on an asyncio Protocol, in a thread of its own: quick, and able to misbehave.

Handlers are plain functions that are given an `Exchange` and answer it at once or later, from the server's own loop.
"""

import asyncio
import http
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import unquote

import httptools
import uvloop


@dataclass(slots=True)
class Request:
    method: str = ""
    path: str = ""
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Exchange:
    """A request, and the means of answering it."""

    def __init__(self, transport: asyncio.Transport, request: Request, keep_alive: bool) -> None:
        self.request = request
        self.closed = False
        #: Called when the client goes away before the answer is complete.
        self.on_disconnect: Callable[[], None] = lambda: None
        self._transport = transport
        self._keep_alive = keep_alive

    def respond(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        """Answers at once."""
        self._transport.write(_head(status, {**headers, "content-length": str(len(body))}) + body)
        self._finished()

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Begins an answer in chunks."""
        self._transport.write(_head(status, {**headers, "transfer-encoding": "chunked"}))

    def write(self, chunk: bytes) -> None:
        """Sends `chunk`, which must be framed already (see `frame`)."""
        self._transport.write(chunk)

    def end(self) -> None:
        """Completes an answer in chunks."""
        self._transport.write(b"0\r\n\r\n")
        self._finished()

    def hang_up(self) -> None:
        """Closes the connection after what has been written, however incomplete the answer is."""
        self.closed = True
        self._transport.close()

    def _finished(self) -> None:
        self.closed = True
        if not self._keep_alive:
            self._transport.close()

    def disconnected(self) -> None:
        """Tells the handler, unless the answer is complete."""
        if not self.closed:
            self.closed = True
            self.on_disconnect()


Handler = Callable[[Exchange], None]


def frame(data: bytes) -> bytes:
    """`data` as one chunk of HTTP's chunked encoding."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1")


class _Connection(asyncio.Protocol):
    def __init__(self, server: "HTTPServer") -> None:
        self._server = server
        self._parser: Any = httptools.HttpRequestParser(self)
        self._request = Request()
        self._url = b""
        self._exchange: Exchange | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._server.connections.add(self._transport)
        self._server.accepted += 1

    def connection_lost(self, _exc: Exception | None) -> None:
        self._server.connections.discard(self._transport)
        if self._exchange:
            self._exchange.disconnected()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.abort()

    def on_message_begin(self) -> None:
        self._request = Request()
        self._url = b""

    def on_url(self, url: bytes) -> None:
        # A part of it, where it comes in pieces.
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._request.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        path, _, self._request.query = self._url.decode().partition("?")
        self._request.path = unquote(path)
        self._request.method = self._parser.get_method().decode()
        if self._request.headers.get("expect", "").lower() == "100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._request.body += body

    def on_message_complete(self) -> None:
        self._exchange = Exchange(self._transport, self._request, self._parser.should_keep_alive())
        self._server.handler(self._exchange)


class HTTPServer:
    """Serves `handler` on `host:port` (0: any free port) from its own thread, between `start` and `close`."""

    def __init__(self, handler: Handler, host: str = "127.0.0.1", port: int = 0) -> None:
        self.handler = handler
        self.host = host
        self.port = port
        self.connections: set[asyncio.Transport] = set()
        #: Connections made so far.
        self.accepted = 0
        self.loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._thread = threading.Thread(target=self._run, name="fake-backend", daemon=True)
        self._ready: Future[None] = Future()

    def start(self) -> None:
        """Returns when the server listens. Raises OSError if it cannot."""
        self._thread.start()
        self._ready.result(timeout=10)

    def close(self) -> None:
        """Drops every connection and ends the thread."""
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(timeout=10)

    def wait(self) -> None:
        """Returns when the server has ended."""
        self._thread.join()

    def call(self, function: Callable[[], None]) -> None:
        """Has the server's thread call `function` soon."""
        self.loop.call_soon_threadsafe(function)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        try:
            server = await self.loop.create_server(lambda: _Connection(self), self.host, self.port, backlog=1024)
        except OSError as e:
            self._ready.set_exception(e)
            return
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set_result(None)
        await self._stop.wait()
        server.close()
        for transport in list(self.connections):
            transport.abort()
        await server.wait_closed()
