"""One model server: its address, its key, and HTTP to it over the connections that the whole process shares."""

from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp

from app.settings import BackendSettings, Settings

#: uvicorn, which vLLM and others run on, closes idle connections after 5 s; a request must not meet that moment.
_KEEP_ALIVE_SECONDS = 4


class Connections:
    """The HTTP connections of one process to all its model servers, opened at the first use, in that loop."""

    def __init__(self, settings: Settings) -> None:
        self._limit = settings.backend_connections
        self._timeout = aiohttp.ClientTimeout(
            total=None,
            sock_connect=settings.backend_connect_timeout,
            sock_read=settings.backend_idle_timeout,
        )
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._limit, keepalive_timeout=_KEEP_ALIVE_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self._timeout,
                headers={"User-Agent": "locum", "Accept-Encoding": "identity"},
            )
        return self._session

    async def close(self) -> None:
        """Closes every connection."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()


class ModelServer:
    """An OpenAI-compatible server: `settings.url` is its base URL with the /v1."""

    def __init__(self, name: str, settings: BackendSettings, connections: Connections) -> None:
        self.name = name
        self.url = settings.url
        self._key = settings.api_key.get_secret_value() if settings.api_key else None
        self._connections = connections

    def post(
        self, path: str, body: bytes, headers: dict[str, str] | None = None
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """POSTs JSON. Redirects are not followed: a POST would come out of them as a GET. Raises as aiohttp does."""
        return self._connections.session.post(
            self.url + path,
            data=body,
            headers={"Content-Type": "application/json", **self._authorization, **(headers or {})},
            allow_redirects=False,
        )

    async def get_json(self, path: str, within: float) -> Any:
        """GETs JSON in `within` seconds. Raises aiohttp.ClientError, OSError, TimeoutError or ValueError."""
        limits = aiohttp.ClientTimeout(total=within)
        session = self._connections.session
        async with session.get(self.url + path, headers=self._authorization, timeout=limits) as response:
            response.raise_for_status()
            return await response.json(content_type=None)

    def redacted(self, text: str) -> str:
        """`text` without this server's key, for servers that echo what they were sent."""
        return text.replace(self._key, "***") if self._key else text

    @property
    def _authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key}"} if self._key else {}
