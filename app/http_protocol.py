"""HTTP/1.1 connections that do not wait forever for their clients.

Uvicorn limits how long a connection may be idle between requests, and nothing else. Here a client that does not finish
the head of its request is answered 408 (RFC 9110, section 15.5.9) or cut off, and so is one that does not read its
answer. Bodies have their own limit: app.middleware.
"""

import asyncio
import math
import resource
import socket
from typing import Any, Final

import orjson
import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.errors import RequestTimeout

log = structlog.get_logger()

_OPEN_FILES: Final = 65_536
#: While a client sends the rest of a body that was refused, it is heard out as long as it sends this much in time.
_DRAINED_BYTES: Final = 2**16


def protocol_class(client_timeout: float) -> type[HttpToolsProtocol]:
    """Returns the protocol for `uvicorn.Config(http=...)`; `client_timeout` is in seconds."""
    return type("LimitedProtocol", (_LimitedProtocol,), {"client_timeout": client_timeout})


def raise_open_files() -> None:
    """Allows this process as many open files, and so connections, as it may have: by default that is 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _LimitedProtocol(HttpToolsProtocol):
    client_timeout: float

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._waiting: asyncio.TimerHandle | None = None  # for the head of a request
        self._unread: asyncio.TimerHandle | None = None  # for the client to read
        self._in_head = False
        self._received = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        _limit_silence(transport.get_extra_info("socket"), self.client_timeout)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        super().data_received(data)
        # Uvicorn stops its idle timer at any byte, also at one that begins no request.
        between_requests = self.cycle is None or self.cycle.response_complete
        if between_requests and self._waiting is None and not self.transport.is_closing():
            self._wait()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        if self._waiting is None:
            self._wait()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop_waiting()
        super().on_headers_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(self.client_timeout, self._cut_off)

    def resume_writing(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    def _wait(self) -> None:
        self._received = 0
        self._waiting = self.loop.call_later(self.client_timeout, self._give_up)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        self._waiting = None
        if self.transport.is_closing():
            return
        is_draining = self.cycle is not None and self.cycle.more_body
        if is_draining and not self._in_head and self._received >= _DRAINED_BYTES:
            self._wait()
            return
        answered_before = self.cycle is None or self.cycle.response_complete
        if self._in_head and answered_before:
            self.transport.write(_timed_out(self.client_timeout))
        self.transport.close()

    def _cut_off(self) -> None:
        """Drops the connection with what it holds: a client that reads nothing would keep both forever."""
        self._unread = None
        log.info("client_does_not_read", client=self.client)
        self.transport.abort()


def _limit_silence(connection: socket.socket | None, seconds: float) -> None:
    """Has the kernel give up a peer that is gone or takes nothing, also after the connection was closed here."""
    if connection is None or connection.family not in (socket.AF_INET, socket.AF_INET6):
        return
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, math.ceil(seconds * 1000))


def _timed_out(seconds: float) -> bytes:
    error = RequestTimeout.of("head", seconds)
    body = orjson.dumps(error.body())
    return (
        b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-type: application/json\r\n"
        b"content-length: %d\r\n\r\n%s" % (len(body), body)
    )
