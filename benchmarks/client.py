"""The client of the benchmarks: the same few lines for Locum and for the backend, so that both pay the same for it."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds from the request to the first token and to the end of a stream."""

    first_token: float
    end: float


async def time_stream(session: aiohttp.ClientSession, url: str, body: dict[str, Any], token_mark: bytes) -> Timing:
    """Streams one answer; the first token is the first read that holds `token_mark`. Raises on a status not 200."""
    begun = time.perf_counter()
    first = 0.0
    async with session.post(url, json=body) as response:
        response.raise_for_status()
        async for data in response.content.iter_any():
            if not first and token_mark in data:
                first = time.perf_counter() - begun
    if not first:
        raise RuntimeError(f"{url} streamed no token")
    return Timing(first, time.perf_counter() - begun)


async def post(session: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> dict[str, Any]:
    """A JSON answer. Raises on a status not 200."""
    async with session.post(url, json=body) as response:
        response.raise_for_status()
        answer: dict[str, Any] = await response.json()
        return answer


async def pages(session: aiohttp.ClientSession, url: str) -> AsyncIterator[dict[str, Any]]:
    """The items of a list."""
    async with session.get(url) as response:
        response.raise_for_status()
        for item in (await response.json())["data"]:
            yield item
