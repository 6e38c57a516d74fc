"""Holds every run's stream that this process reads against the grammar of events, whichever client reads it."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Final

import httpx2
import pytest

from tests.event_order import Beginning, EventOrder

_BEGINNINGS: Final[tuple[tuple[str, str, Beginning], ...]] = (
    ("POST", r"/threads/runs$", "thread"),
    ("POST", r"/threads/thread_[^/]+/runs$", "run"),
    ("POST", r"/threads/thread_[^/]+/runs/run_[^/]+/submit_tool_outputs$", "outputs"),
    ("GET", r"/threads/thread_[^/]+/runs/run_[^/]+/events$", "log"),
)


class Watch:
    """What was wrong with the streams that were read so far; to be emptied by who looks."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.streams = 0

    def taken(self) -> list[str]:
        """What was wrong since the last look."""
        faults, self.faults = self.faults, []
        return faults

    def put_on(self, patch: pytest.MonkeyPatch) -> None:
        """Watches every HTTP connection from now on, until `patch` is undone."""
        send, asend = httpx2.HTTPTransport.handle_request, httpx2.AsyncHTTPTransport.handle_async_request

        def handle(transport: httpx2.HTTPTransport, request: httpx2.Request) -> httpx2.Response:
            return self._watched(request, send(transport, request))

        async def ahandle(transport: httpx2.AsyncHTTPTransport, request: httpx2.Request) -> httpx2.Response:
            return self._watched(request, await asend(transport, request))

        patch.setattr(httpx2.HTTPTransport, "handle_request", handle)
        patch.setattr(httpx2.AsyncHTTPTransport, "handle_async_request", ahandle)

    def _watched(self, request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        beginning = _beginning(request)
        if beginning is not None and response.headers.get("content-type", "").startswith("text/event-stream"):
            reader = _Reader(beginning, self)
            self.streams += 1
            if isinstance(response.stream, httpx2.AsyncByteStream):
                response.stream = _AsyncStream(response.stream, reader)
            elif isinstance(response.stream, httpx2.SyncByteStream):
                response.stream = _Stream(response.stream, reader)
        return response


def _beginning(request: httpx2.Request) -> Beginning | None:
    if "last-event-id" in request.headers:
        return "middle"
    return next(
        (
            beginning
            for method, path, beginning in _BEGINNINGS
            if request.method == method and re.search(path, request.url.path)
        ),
        None,
    )


class _Reader:
    """Cuts bytes into events."""

    def __init__(self, beginning: Beginning, watch: Watch) -> None:
        self._order = EventOrder(beginning)
        self._watch = watch
        self._rest = b""

    def feed(self, data: bytes) -> None:
        *blocks, self._rest = (self._rest + data).split(b"\n\n")
        for block in blocks:
            fields = dict(
                line.split(": ", 1) for line in block.decode().split("\n") if line and not line.startswith(":")
            )
            if fields:
                self._order.take(fields["event"], fields["data"], fields.get("id"))

    def end(self, *, by_server: bool) -> None:
        if by_server:
            self._order.end()
        self._watch.faults += self._order.faults
        self._order.faults = []


class _Stream(httpx2.SyncByteStream):
    def __init__(self, inner: httpx2.SyncByteStream, reader: _Reader) -> None:
        self._inner = inner
        self._reader = reader

    def __iter__(self) -> Iterator[bytes]:
        for data in self._inner:
            self._reader.feed(data)
            yield data
        self._reader.end(by_server=True)

    def close(self) -> None:
        self._inner.close()
        self._reader.end(by_server=False)


class _AsyncStream(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, reader: _Reader) -> None:
        self._inner = inner
        self._reader = reader

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for data in self._inner:
            self._reader.feed(data)
            yield data
        self._reader.end(by_server=True)

    async def aclose(self) -> None:
        await self._inner.aclose()
        self._reader.end(by_server=False)
