"""The sandbox host, as workers see it: sessions by key, executions as streams of events, files.

    client = SandboxClient(url, token)
    session = await client.open(thread_id)          # session.created: nothing of an earlier one is left
    async for event in session.execute(code): ...   # leaving the loop stops the code

Every failure is a SandboxFailure; one that `is_lost` means that the session is gone, with its variables and files: open
it again and tell the model.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import aiohttp
import orjson

from sandbox.protocol import ALIVE_SECONDS, Alive, Done, Event, escaped, from_line, unescaped

#: The host is asked again after so long where it does not answer: it may be on its way up.
_PAUSES: Final = (0.2, 0.5, 1.0)
_CALL: Final = aiohttp.ClientTimeout(total=120, connect=3)
#: Something comes within ALIVE_SECONDS as long as the host lives.
_STREAM: Final = aiohttp.ClientTimeout(total=None, connect=3, sock_read=3 * ALIVE_SECONDS)
#: An image is the longest line.
_LONGEST_LINE: Final = 2**26


class SandboxFailure(Exception):
    """The host did not do it. `code` is the host's own, or `unavailable` where it cannot be reached."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    @property
    def is_lost(self) -> bool:
        """Whether the session is gone."""
        return self.code == "session_lost"


@dataclass(frozen=True)
class SandboxFile:
    """A file below /mnt/data. `version` changes whenever its content may have. The path may be no text: it has bytes
    that are no UTF-8 as `os.fsdecode` does."""

    path: str
    size: int
    modified: float
    version: str


@dataclass(frozen=True)
class SandboxListing:
    """All files, but for `left_out` of them, whose paths are too long to be named."""

    files: list[SandboxFile]
    left_out: int


class SandboxClient:
    """The host at `url`. Made and closed on one event loop; all calls raise SandboxFailure."""

    def __init__(self, url: str, token: str) -> None:
        self._http = aiohttp.ClientSession(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            connector=aiohttp.TCPConnector(limit=0),
            read_bufsize=2**20,
        )

    async def close(self) -> None:
        """Ends the connections."""
        await self._http.close()

    async def open(self, key: str) -> "SandboxSession":
        """The session of the key (letters, digits, `_` and `-`), made where there is none."""
        for pause in (*_PAUSES, None):
            try:
                about = await self.call("PUT", f"/sessions/{key}")
                return SandboxSession(self, about["id"], about["created"])
            except SandboxFailure as failure:
                if failure.code != "unavailable" or pause is None:
                    raise
                await asyncio.sleep(pause)
        raise AssertionError  # pragma: no cover - the last try returns or raises

    async def call(self, method: str, path: str, **options: Any) -> Any:
        """One request with a short answer in JSON; None where it has no body."""
        async with self.request(method, path, timeout=_CALL, **options) as response:
            body = await response.read()
        return orjson.loads(body) if body else None

    @asynccontextmanager
    async def request(self, method: str, path: str, **options: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        """A request that succeeds, for as long as its answer is read."""
        try:
            async with self._http.request(method, path, **options) as response:
                if response.status >= 400:
                    raise _failure(response.status, await response.read())
                yield response
        except (aiohttp.ClientError, OSError, TimeoutError, orjson.JSONDecodeError) as error:
            raise SandboxFailure("unavailable", f"The sandbox cannot be reached: {error or 'no answer'}.") from None


class SandboxSession:
    """An open session. `created`: it is new, and whatever an earlier one of its key knew is gone."""

    def __init__(self, client: SandboxClient, session_id: str, created: bool) -> None:
        self.id = session_id
        self.created = created
        self._client = client

    async def execute(self, code: str, seconds: float | None = None) -> AsyncIterator[Event]:
        """Runs code, after what was asked for earlier; gives its events, `Done` last. Leaving it stops the code."""
        body = {"code": code, "seconds": seconds}
        path = f"/sessions/{self.id}/executions"
        async with self._client.request("POST", path, json=body, timeout=_STREAM) as response:
            async for line in _lines(response):
                event = _event(line)
                if not isinstance(event, Alive):
                    yield event
                if isinstance(event, Done):
                    return
            raise SandboxFailure("unavailable", "The sandbox broke off the execution.")

    async def interrupt(self) -> None:
        """Stops what runs and what waits."""
        await self._client.call("POST", f"/sessions/{self.id}/interrupt")

    async def files(self) -> list[SandboxFile]:
        """All files below /mnt/data that can be named."""
        return (await self.listing()).files

    async def listing(self) -> SandboxListing:
        """The same, and how many there are besides."""
        answer = await self._client.call("GET", f"/sessions/{self.id}/files")
        return SandboxListing([_file(entry) for entry in answer["files"]], answer["left_out"])

    async def put(self, path: str, data: AsyncIterable[bytes] | bytes, size: int | None = None) -> SandboxFile:
        """Writes a file: whole, or not at all. With its `size`, one that does not fit is refused before it is sent.

        What `data` raises comes out as it is.
        """
        if isinstance(data, bytes):
            size, data = len(data), _once(data)
        headers = {} if size is None else {"Content-Length": str(size)}
        source = _Source(data)
        try:
            answer = await self._client.call(
                "PUT", self._path(path), data=source.pieces(), headers=headers, expect100=True
            )
        except SandboxFailure:
            if source.error is not None:
                raise source.error from None
            raise
        return _file(answer)

    async def link(self, source: str, name: str) -> bool:
        """Gives a file a second name; tells whether it has it, since what code has put there stays."""
        body = {"source": source, "name": name}
        answer = await self._client.call("POST", f"/sessions/{self.id}/links", json=body)
        return bool(answer["linked"])

    async def get(self, path: str) -> AsyncIterator[bytes]:
        """A file's bytes."""
        async with self._client.request("GET", self._path(path), timeout=_STREAM) as response:
            async for piece in response.content.iter_any():
                yield piece

    async def delete(self, path: str) -> None:
        """Removes a file; it is no failure where there is none."""
        with contextlib.suppress(_Missing):
            await self._client.call("DELETE", self._path(path))

    async def close(self) -> None:
        """Ends the session, if it has not ended."""
        try:
            await self._client.call("DELETE", f"/sessions/{self.id}")
        except SandboxFailure as failure:
            if not failure.is_lost:
                raise

    def _path(self, path: str) -> str:
        return f"/sessions/{self.id}/files/{quote(escaped(path))}"


def _file(entry: dict[str, Any]) -> SandboxFile:
    return SandboxFile(**{**entry, "path": unescaped(entry["path"])})


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


class _Source:
    """What is to be sent, and why it broke off: to aiohttp that looks like a broken connection."""

    def __init__(self, data: AsyncIterable[bytes]) -> None:
        self._data = data
        self.error: Exception | None = None

    async def pieces(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._data:
                yield piece
        except Exception as error:
            self.error = error
            raise


class _Missing(SandboxFailure):
    """There is no such file."""


def _failure(status: int, body: bytes) -> SandboxFailure:
    try:
        error = orjson.loads(body)["error"]
        kind = _Missing if error["code"] == "file_missing" else SandboxFailure
        return kind(error["code"], error["message"])
    except (ValueError, KeyError, TypeError):
        return SandboxFailure("unavailable", f"The sandbox answered with status {status}.")


def _event(line: bytes) -> Event:
    try:
        return from_line(line)
    except ValueError as error:
        raise SandboxFailure("unavailable", f"The sandbox sent what cannot be read: {error}.") from None


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    held = bytearray()
    async for piece in response.content.iter_any():
        held += piece
        if len(held) > _LONGEST_LINE:
            raise SandboxFailure("unavailable", "The sandbox sent a line without end.")
        *lines, rest = held.split(b"\n")
        held = bytearray(rest)
        for line in lines:
            yield bytes(line)
