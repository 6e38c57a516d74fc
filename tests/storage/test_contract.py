"""What every storage does alike: the folder, and S3 on a real server."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from app.storage import BytesMissing, Storage

KEY = "files/file-0123456789"
OTHER = "files/file-9876543210"
PART = "parts/part_0123456789"
#: Over several pieces of both storages, and no multiple of any.
LARGE = random.Random(1).randbytes(9 * 2**20 + 17)


async def stream(data: bytes, size: int = 65_521) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def everything(storage: Storage, key: str, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([piece async for piece in storage.read(key, start, end)])


async def keys(storage: Storage, kind: str) -> list[str]:
    return sorted([found.key async for found in storage.list(kind)])


@pytest.mark.parametrize("data", [b"", b"x", b"\0" * 70_000, LARGE], ids=len)
async def test_bytes_come_back_as_they_were_written(storage: Storage, data: bytes) -> None:
    written = await storage.write(KEY, stream(data))
    assert written.bytes == len(data)
    assert written.sha256 == hashlib.sha256(data).digest()
    assert written.md5 == hashlib.md5(data).hexdigest()
    assert await everything(storage, KEY) == data


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (0, None),
        (0, 1),
        (1, 2),
        (5, 5),
        (len(LARGE) - 1, None),
        (len(LARGE), None),
        (len(LARGE) + 5, len(LARGE) + 9),
        (4 * 2**20 - 3, 8 * 2**20 + 3),
        (100, len(LARGE) + 100),
    ],
)
async def test_a_range_is_a_slice(storage: Storage, start: int, end: int | None) -> None:
    await storage.write(KEY, stream(LARGE))
    assert await everything(storage, KEY, start, end) == LARGE[start:end]


async def test_nothing_of_an_empty_object_is_nothing(storage: Storage) -> None:
    await storage.write(KEY, stream(b""))
    assert await everything(storage, KEY, 0, 10) == b""
    assert await everything(storage, KEY, 3) == b""
    assert await keys(storage, "files") == [KEY]


async def test_what_is_not_there_cannot_be_read(storage: Storage) -> None:
    for start, end in ((0, None), (3, 7)):
        with pytest.raises(BytesMissing):
            await everything(storage, KEY, start, end)


async def test_a_second_write_replaces_the_first(storage: Storage) -> None:
    await storage.write(KEY, stream(LARGE))
    await storage.write(KEY, stream(b"short"))
    assert await everything(storage, KEY) == b"short"
    assert await keys(storage, "files") == [KEY]


async def test_what_is_deleted_is_gone_and_may_be_deleted_again(storage: Storage) -> None:
    await storage.write(KEY, stream(b"x"))
    await storage.delete(KEY)
    await storage.delete(KEY)
    assert await keys(storage, "files") == []
    with pytest.raises(BytesMissing):
        await everything(storage, KEY)


async def test_a_list_has_one_kind_and_the_times(storage: Storage) -> None:
    assert await keys(storage, "files") == []
    for key in (KEY, OTHER, PART):
        await storage.write(key, stream(b"x"))
    assert await keys(storage, "files") == [KEY, OTHER]
    assert await keys(storage, "parts") == [PART]
    async for found in storage.list("files"):
        assert abs(datetime.now(UTC) - found.modified) < timedelta(minutes=1)


class Broken(Exception):
    pass


@pytest.mark.parametrize("after", [0, 100, len(LARGE)])
async def test_of_data_that_breaks_off_nothing_is_seen(storage: Storage, after: int) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        async for chunk in stream(LARGE[:after]):
            yield chunk
        raise Broken

    with pytest.raises(Broken):
        await storage.write(KEY, breaking())
    assert await keys(storage, "files") == []
    with pytest.raises(BytesMissing):
        await everything(storage, KEY)


async def test_a_write_that_breaks_off_leaves_the_former_bytes(storage: Storage) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield LARGE
        raise Broken

    await storage.write(KEY, stream(b"former"))
    with pytest.raises(Broken):
        await storage.write(KEY, breaking())
    assert await everything(storage, KEY) == b"former"


@pytest.mark.parametrize("size", [0, 100, len(LARGE)])
async def test_of_a_write_that_is_cancelled_nothing_is_seen(storage: Storage, size: int) -> None:
    waits = asyncio.Event()

    async def stalling() -> AsyncIterator[bytes]:
        async for chunk in stream(LARGE[:size]):
            yield chunk
        waits.set()
        await asyncio.Event().wait()

    writing = asyncio.create_task(storage.write(KEY, stalling()))
    await asyncio.wait_for(waits.wait(), 10)
    assert await keys(storage, "files") == []
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert await keys(storage, "files") == []
    with pytest.raises(BytesMissing):
        await everything(storage, KEY)


async def test_many_at_once_do_not_disturb_each_other(storage: Storage) -> None:
    data = {f"files/file-{number:010}": LARGE[: number * 100_000] for number in range(12)}
    await asyncio.gather(*(storage.write(key, stream(value)) for key, value in data.items()))
    found = await asyncio.gather(*(everything(storage, key) for key in data))
    assert found == list(data.values())


async def test_reading_may_be_left_in_the_middle(storage: Storage) -> None:
    await storage.write(KEY, stream(LARGE))
    reading = storage.read(KEY)
    first = await anext(reading)
    assert LARGE.startswith(first)
    await reading.aclose()  # type: ignore[attr-defined]
    await storage.delete(KEY)


@pytest.mark.parametrize(
    "key", ["", "files", "files/", "files/../secret", "/etc/passwd0", "files/a/b1234567", "files/x"]
)
async def test_keys_are_made_by_locum_alone(storage: Storage, key: str) -> None:
    with pytest.raises(ValueError, match="no key"):
        await storage.write(key, stream(b"x"))
    with pytest.raises(ValueError, match="no key"):
        await everything(storage, key)
    with pytest.raises(ValueError, match="no key"):
        await storage.delete(key)
