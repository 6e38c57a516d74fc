"""Bytes on their way to a row: what becomes of them when there will be none."""

import time
from pathlib import Path

import pytest

from app import ids
from app.errors import InvalidRequest, RequestTooLarge
from app.services.stored_bytes import ORPHANED_SECONDS, Incoming, Received
from app.storage import Storage, Written
from app.storage.local import LocalStorage
from tests.storage.test_contract import keys, stream


async def receive_and_fail(storage: Storage, error: Exception) -> None:
    async with Incoming(storage, ids.FILE) as incoming:
        await incoming.take(stream(b"x"))
        raise error


async def test_bytes_of_a_refused_request_are_taken_back(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    with pytest.raises(InvalidRequest):
        await receive_and_fail(storage, InvalidRequest("no"))
    assert await keys(storage, "files") == []


async def test_bytes_whose_row_may_have_been_committed_are_left_to_the_sweep(tmp_path: Path) -> None:
    """A connection that breaks during the commit does not tell whether there is a row now."""
    storage = LocalStorage(tmp_path)
    with pytest.raises(ConnectionError):
        await receive_and_fail(storage, ConnectionError())
    assert len(await keys(storage, "files")) == 1


async def test_a_limit_is_met_exactly(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    async with Incoming(storage, ids.UPLOAD_PART, limit=5) as incoming:
        received = await incoming.take(stream(b"12345", size=2))
        assert (received.written.bytes, received.id.startswith("part_")) == (5, True)
    with pytest.raises(RequestTooLarge, match="5 bytes at most"):
        async with Incoming(storage, ids.UPLOAD_PART, limit=5) as incoming:
            await incoming.take(stream(b"123456", size=2))
    assert await keys(storage, "parts") == [f"parts/{received.id}"]


def test_bytes_that_the_sweep_may_soon_take_get_no_row() -> None:
    written = Written(sha256=b"", md5="", bytes=1)
    now = time.monotonic()
    assert Received("file-1", written, at=now - ORPHANED_SECONDS / 3).claim() == written
    with pytest.raises(InvalidRequest, match="took too long"):
        Received("file-1", written, at=now - ORPHANED_SECONDS / 1.9).claim()
