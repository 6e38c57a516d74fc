"""Holds every run's stream that this process reads against the grammar of events, whichever client reads it."""

import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Final

try:
    import httpx2 as httpx
except ImportError:  # beside older clients; which of the two is there decides what is to be ignored
    import httpx  # type: ignore

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
        #: Whether logs of events are lost on purpose: then a stream may begin anywhere.
        self.is_lossy = False

    def taken(self) -> list[str]:
        """What was wrong since the last look."""
        faults, self.faults = self.faults, []
        return faults

    def read(self, recorded: Path) -> None:
        """Looks at streams that another process wrote down: tests/sdk/node_client/recorded_streams.mjs."""
        for line in recorded.read_text().splitlines():
            stream = json.loads(line)
            beginning = self._beginning(stream["method"], stream["path"], resumed=stream["resumed"])
            if beginning is not None:
                self.streams += 1
                reader = _Reader(beginning, self)
                reader.feed(stream["text"].encode())
                reader.end(by_server=stream["whole"])

    def _beginning(self, method: str, path: str, *, resumed: bool) -> Beginning | None:
        """What the stream that answers such a request begins with; None if it is not that of a run."""
        found = next((start for verb, place, start in _BEGINNINGS if verb == method and re.search(place, path)), None)
        return "middle" if found and (resumed or self.is_lossy) else found

    def put_on(self, replace: Callable[[Any, str, Any], None] = setattr) -> None:
        """Watches every HTTP connection from now on; `replace` puts the watched methods in place of the others."""
        send, asend = httpx.HTTPTransport.handle_request, httpx.AsyncHTTPTransport.handle_async_request

        def handle(transport: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
            return self._watched(request, send(transport, request))

        async def ahandle(transport: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
            return self._watched(request, await asend(transport, request))

        replace(httpx.HTTPTransport, "handle_request", handle)
        replace(httpx.AsyncHTTPTransport, "handle_async_request", ahandle)

    def _watched(self, request: httpx.Request, response: httpx.Response) -> httpx.Response:
        resumed = "last-event-id" in request.headers
        beginning = self._beginning(request.method, request.url.path, resumed=resumed)
        if beginning is not None and response.headers.get("content-type", "").startswith("text/event-stream"):
            reader = _Reader(beginning, self)
            self.streams += 1
            if isinstance(response.stream, httpx.AsyncByteStream):
                response.stream = _AsyncStream(response.stream, reader)
            elif isinstance(response.stream, httpx.SyncByteStream):
                response.stream = _Stream(response.stream, reader)
        return response


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


class _Stream(httpx.SyncByteStream):
    def __init__(self, inner: httpx.SyncByteStream, reader: _Reader) -> None:
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


class _AsyncStream(httpx.AsyncByteStream):
    def __init__(self, inner: httpx.AsyncByteStream, reader: _Reader) -> None:
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
