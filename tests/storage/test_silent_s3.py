"""An S3 that keeps its connections and says nothing costs seconds, and is told of; once it speaks, all is as before."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from dataclasses import replace
from typing import Any, Final

import pytest

from app.settings import Settings
from app.storage import create_storage
from app.storage.base import Storage, StorageAway
from app.storage.patience import patiently
from tests.fakes.s3 import S3Server
from tests.faults.network import before
from tests.faults.relay import Relay

#: Two answers that do not come; for a large write, a part's and that of the request to forget it.
_SECONDS: Final = 45.0
_LARGE: Final = 12 * 2**20


@pytest.fixture
def relayed(s3: S3Server) -> Iterator[tuple[Relay, S3Server]]:
    """The S3 server behind a relay."""
    with before(s3.endpoint) as (relay, port):
        yield relay, replace(s3, endpoint=f"http://127.0.0.1:{port}")


@pytest.fixture
async def storage(relayed: tuple[Relay, S3Server]) -> AsyncIterator[Storage]:
    settings: dict[str, Any] = relayed[1].settings("silent")
    made = create_storage(Settings(**settings))
    yield made
    await made.aclose()


async def _pieces(size: int) -> AsyncIterator[bytes]:
    yield b"x" * size


async def _read(storage: Storage, key: str) -> bytes:
    return b"".join([piece async for piece in storage.read(key)])


async def _refused(work: Awaitable[Any]) -> float:
    began = time.monotonic()
    with pytest.raises(StorageAway):
        await work
    return time.monotonic() - began


@pytest.mark.timeout(240)
async def test_what_an_s3_that_is_silent_is_asked_is_given_up(
    storage: Storage, relayed: tuple[Relay, S3Server]
) -> None:
    relay, _ = relayed
    await storage.write("files/aaaaaaaa", _pieces(3))
    relay.hold()
    try:
        took = await asyncio.gather(
            _refused(_read(storage, "files/aaaaaaaa")),
            _refused(storage.write("files/bbbbbbbb", _pieces(3))),
            _refused(storage.write("files/cccccccc", _pieces(_LARGE))),
            # A run that waits for its storage does not wait for ever.
            _refused(patiently(lambda: _read(storage, "files/aaaaaaaa"))),
        )
        assert max(took) < _SECONDS
    finally:
        relay.let_go()
    assert await _read(storage, "files/aaaaaaaa") == b"xxx"
    await storage.write("files/bbbbbbbb", _pieces(_LARGE))
    assert len(await _read(storage, "files/bbbbbbbb")) == _LARGE


@pytest.mark.timeout(240)
async def test_a_read_that_falls_silent_in_its_middle_is_given_up(
    storage: Storage, relayed: tuple[Relay, S3Server]
) -> None:
    relay, _ = relayed
    await storage.write("files/dddddddd", _pieces(_LARGE))
    reading = storage.read("files/dddddddd")
    assert await anext(reading)
    relay.hold()
    try:
        assert await _refused(anext(reading)) < _SECONDS
    finally:
        relay.let_go()
