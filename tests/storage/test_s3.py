"""S3: what is peculiar to it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.settings import Settings
from app.storage import StorageAway, create_storage
from tests.fakes.s3 import S3Server
from tests.running import free_port
from tests.storage.test_contract import KEY, LARGE, Broken, keys, stream


async def test_no_parts_are_left_in_the_bucket(s3: S3Server) -> None:
    """They would cost their owner money for ever, unseen."""
    storage = create_storage(Settings(**s3.settings("tests/parts")))  # type: ignore[arg-type]
    waits = asyncio.Event()
    # A server that was silent (test_silent_s3.py) has not heard that it was to forget one.
    before = s3.unfinished_uploads()

    async def breaking() -> AsyncIterator[bytes]:
        yield LARGE
        raise Broken

    async def stalling() -> AsyncIterator[bytes]:
        yield LARGE
        waits.set()
        await asyncio.Event().wait()

    with pytest.raises(Broken):
        await storage.write(KEY, breaking())
    writing = asyncio.create_task(storage.write(KEY, stalling()))
    await asyncio.wait_for(waits.wait(), 10)
    assert s3.unfinished_uploads() == before + 1
    writing.cancel()
    await asyncio.wait([writing])
    assert s3.unfinished_uploads() == before


async def test_prefixes_keep_deployments_apart(s3: S3Server) -> None:
    one = create_storage(Settings(**s3.settings("tests/one")))  # type: ignore[arg-type]
    other = create_storage(Settings(**s3.settings("tests/one-more")))  # type: ignore[arg-type]
    await one.write(KEY, stream(b"x"))
    assert await keys(other, "files") == []
    await other.delete(KEY)
    assert await keys(one, "files") == [KEY]


async def test_a_wrong_key_and_an_absent_server_are_outages(s3: S3Server) -> None:
    wrong = {**s3.settings("tests/away"), "s3_secret_access_key": "wrong"}
    absent = {**s3.settings("tests/away"), "s3_endpoint": f"http://127.0.0.1:{free_port()}"}
    for settings in (wrong, absent):
        storage = create_storage(Settings(**settings))  # type: ignore[arg-type]
        with pytest.raises(StorageAway):
            await storage.write(KEY, stream(b"x"))
        with pytest.raises(StorageAway):
            await anext(storage.read(KEY))


@pytest.mark.parametrize("url", ["http://bucket/x", "s3:///prefix", "bucket/prefix"])
def test_a_url_that_is_none_of_s3_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="s3://"):
        create_storage(Settings(storage_url=url))
