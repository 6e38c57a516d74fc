"""One model server: its address, its key, and HTTP to it over the connections that the whole process shares."""

import contextlib
from typing import Any

import aiohttp

from app.settings import BackendSettings, Settings

#: uvicorn, which vLLM and others run on, closes idle connections after 5 s; a request must not meet that moment.
_KEEP_ALIVE_SECONDS = 4


#: Of an error's body; none that is meant to be read is longer.
_MAX_ERROR_BYTES = 64 * 2**10


class Connections:
    """The HTTP connections of one process to all its model servers, opened at the first use, in that loop."""

    def __init__(self, settings: Settings) -> None:
        self._limit = settings.backend_connections
        self._timeout = aiohttp.ClientTimeout(
            total=None,
            sock_connect=settings.backend_connect_timeout,
            sock_read=settings.backend_idle_timeout,
        )
        self._kept: aiohttp.ClientSession | None = None
        self._fresh: aiohttp.ClientSession | None = None

    @property
    def kept(self) -> aiohttp.ClientSession:
        """Uses connections again."""
        if self._kept is None:
            self._kept = self._session(aiohttp.TCPConnector(limit=self._limit, keepalive_timeout=_KEEP_ALIVE_SECONDS))
        return self._kept

    @property
    def fresh(self) -> aiohttp.ClientSession:
        """Makes a connection for every request."""
        if self._fresh is None:
            self._fresh = self._session(aiohttp.TCPConnector(limit=self._limit, force_close=True))
        return self._fresh

    async def close(self) -> None:
        """Closes every connection."""
        opened = [session for session in (self._kept, self._fresh) if session is not None]
        self._kept = self._fresh = None
        for session in opened:
            await session.close()

    def _session(self, connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
            headers={"User-Agent": "locum", "Accept-Encoding": "identity"},
        )


class ModelServer:
    """An OpenAI-compatible server: `settings.url` is its base URL with the /v1."""

    def __init__(self, name: str, settings: BackendSettings, connections: Connections) -> None:
        self.name = name
        self.url = settings.url
        self._key = settings.api_key.get_secret_value() if settings.api_key else None
        self._connections = connections

    async def post(self, path: str, body: bytes, headers: dict[str, str] | None = None) -> aiohttp.ClientResponse:
        """POSTs JSON; the answer is a context manager. Raises aiohttp.ClientError, OSError or TimeoutError.

        A connection that breaks before any answer had most likely been idle and given up by the server, which some
        (llama.cpp) do not tell until it is used: the request then goes out once more, over a connection of its own.
        """
        try:
            return await self._post(self._connections.kept, path, body, headers)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            return await self._post(self._connections.fresh, path, body, headers)

    async def _post(
        self, session: aiohttp.ClientSession, path: str, body: bytes, headers: dict[str, str] | None
    ) -> aiohttp.ClientResponse:
        return await session.post(
            self.url + path,
            data=body,
            headers={"Content-Type": "application/json", **self._authorization, **(headers or {})},
            allow_redirects=False,  # a POST would come out of them as a GET
        )

    async def get_json(self, path: str, within: float) -> Any:
        """GETs JSON in `within` seconds. Raises aiohttp.ClientError, OSError, TimeoutError or ValueError."""
        limits = aiohttp.ClientTimeout(total=within)
        session = self._connections.fresh
        async with session.get(self.url + path, headers=self._authorization, timeout=limits) as response:
            response.raise_for_status()
            return await response.json(content_type=None)

    async def beginning(self, response: aiohttp.ClientResponse) -> bytes:
        """The first 64 KiB of an error's body, as far as it comes: its status alone tells much. Without the key, which
        might otherwise be in any of its fields, or be cut in two where a message is too long."""
        body = b""
        with contextlib.suppress(aiohttp.ClientError, OSError):
            async for data in response.content.iter_any():
                body += data
                if len(body) >= _MAX_ERROR_BYTES:
                    break
        body = body[:_MAX_ERROR_BYTES]
        return body.replace(self._key.encode(), b"***") if self._key else body

    def redacted(self, text: str) -> str:
        """`text` without this server's key, for servers that echo what they were sent."""
        return text.replace(self._key, "***") if self._key else text

    @property
    def _authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key}"} if self._key else {}
