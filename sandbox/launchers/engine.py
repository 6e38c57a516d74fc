"""The few calls of the Docker Engine API that kernels need, over a unix socket or TCP."""

import asyncio
import contextlib
import json
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

#: The oldest API that has all that is asked for: Docker 20.10.
_VERSION: Final = "v1.41"
_TIMEOUT: Final = aiohttp.ClientTimeout(total=60, connect=5)
_FOREVER: Final = aiohttp.ClientTimeout(total=None, connect=5)
_PIECE: Final = 65536
#: Of a container's standard error.
_KEPT: Final = 4096


class EngineError(Exception):
    """The engine did not do it; the message is what it says."""


class Lifeline:
    """The other end of a container's standard input and error. Closed by `close`, or with us when we are no more."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._kept = b""
        self._reading = asyncio.create_task(self._read(reader), name="standard error of a container")

    async def last_words(self) -> str:
        """The last line of the container's standard error, once it has ended."""
        await asyncio.wait({self._reading}, timeout=1)
        lines = self._kept.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""

    def close(self) -> None:
        """Lets the container's standard input end."""
        self._reading.cancel()
        self._writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        """Reads to the end, since a full pipe would stop the writer; keeps a little."""
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                # Each piece comes behind a header of which stream it is and how long.
                header = await reader.readexactly(8)
                left = int.from_bytes(header[4:], "big")
                while left:
                    piece = await reader.read(min(left, _PIECE))
                    if not piece:
                        return
                    left -= len(piece)
                    self._kept = (self._kept + piece)[-_KEPT:]


class Engine:
    """The engine at a `unix://` or `tcp://` address. All calls raise EngineError."""

    def __init__(self, address: str) -> None:
        self._address = urlsplit(address)
        self._http: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Ends the connections."""
        if self._http is not None:
            await self._http.close()

    async def has_image(self, image: str) -> bool:
        """Whether the engine has the image."""
        try:
            await self._call("GET", f"/images/{image}/json")
        except EngineError as error:
            if "o such image" in str(error):
                return False
            raise
        return True

    async def runtimes(self) -> set[str]:
        """The names of its runtimes."""
        info = await self._call("GET", "/info")
        return set(info.get("Runtimes", {}))

    async def containers(self, label: str) -> list[str]:
        """The ids of all containers with the label, running or not."""
        filters = json.dumps({"label": [label]})
        found = await self._call("GET", "/containers/json", params={"all": "1", "filters": filters})
        return [container["Id"] for container in found]

    async def create(self, container: dict[str, Any]) -> str:
        """Makes a container; gives its id."""
        made = await self._call("POST", "/containers/create", json=container)
        return str(made["Id"])

    async def start(self, container: str) -> None:
        """Starts it."""
        await self._call("POST", f"/containers/{container}/start")

    async def wait(self, container: str) -> int:
        """Returns its exit status once it has ended."""
        ended = await self._call("POST", f"/containers/{container}/wait", timeout=_FOREVER)
        return int(ended["StatusCode"])

    async def was_out_of_memory(self, container: str) -> bool:
        """Whether one of its processes was killed for its memory."""
        about = await self._call("GET", f"/containers/{container}/json")
        return bool(about["State"].get("OOMKilled"))

    async def remove(self, container: str) -> None:
        """Removes it, running or not; it may be gone already, or on its way."""
        try:
            await self._call("DELETE", f"/containers/{container}", params={"force": "1", "v": "1"})
        except EngineError as error:
            if "o such container" not in str(error) and "already in progress" not in str(error):
                raise

    async def attach(self, container: str) -> Lifeline:
        """Holds its standard input and error, for as long as the lifeline lives."""
        try:
            reader, writer = await self._connect()
        except OSError as error:
            raise EngineError(str(error)) from None
        path = f"/{_VERSION}/containers/{container}/attach?stream=1&stdin=1&stderr=1"
        writer.write(f"POST {path} HTTP/1.1\r\nHost: docker\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\n".encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        if not answer.startswith(b"HTTP/1.1 101"):
            writer.close()
            raise EngineError(answer.split(b"\r\n")[0].decode(errors="replace"))
        return Lifeline(reader, writer)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._address.scheme == "unix":
            return await asyncio.open_unix_connection(self._address.path)
        return await asyncio.open_connection(self._address.hostname, self._address.port or 2375)

    async def _call(self, method: str, path: str, **options: Any) -> Any:
        if self._http is None:
            self._http = self._session()
        options.setdefault("timeout", _TIMEOUT)
        try:
            async with self._http.request(method, f"/{_VERSION}{path}", **options) as response:
                text = await response.text()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise EngineError(str(error) or "no answer in time") from None
        answer = _json(text)
        if response.status >= 400:
            raise EngineError(str(answer["message"]) if isinstance(answer, dict) and "message" in answer else text)
        return answer

    def _session(self) -> aiohttp.ClientSession:
        if self._address.scheme == "unix":
            # Each container is waited for over a connection of its own.
            return aiohttp.ClientSession("http://docker", connector=aiohttp.UnixConnector(self._address.path, limit=0))
        host = f"http://{self._address.hostname}:{self._address.port or 2375}"
        return aiohttp.ClientSession(host, connector=aiohttp.TCPConnector(limit=0))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
