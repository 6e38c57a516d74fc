"""The folder: what it looks like from outside, and what a crash leaves in it."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.storage import StorageAway, local
from app.storage.local import LocalStorage
from tests.storage.test_contract import KEY, everything, keys, stream


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_what_a_crash_left_is_cleared_when_it_is_old(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    begun = asyncio.Event()

    async def stalling() -> AsyncIterator[bytes]:
        begun.set()
        await asyncio.Event().wait()
        yield b""

    writing = asyncio.create_task(storage.write(KEY, stalling()))
    await begun.wait()
    (unfinished,) = files_in(tmp_path)
    left = unfinished.with_name(f"0{unfinished.name}")
    left.write_bytes(b"half of a file")
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    os.utime(left, times=(0, 0))
    assert await keys(storage, "files") == []

    await storage.clear_unfinished(an_hour_ago)
    assert files_in(tmp_path) == [unfinished]
    writing.cancel()
    await asyncio.wait([writing])
    assert files_in(tmp_path) == []
    await storage.aclose()


async def test_a_folder_that_cannot_be_used_is_an_outage(tmp_path: Path) -> None:
    (tmp_path / "files").write_text("not a folder")
    storage = LocalStorage(tmp_path)
    with pytest.raises(StorageAway):
        await storage.write(KEY, stream(b"x"))
    await storage.aclose()


async def test_a_file_that_is_being_read_may_be_deleted(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    data = bytes(3 * 2**20)
    await storage.write(KEY, stream(data))
    reading = storage.read(KEY)
    first = await anext(reading)
    await storage.delete(KEY)
    assert first + b"".join([piece async for piece in reading]) == data
    await storage.aclose()


async def test_what_is_written_by_one_process_is_read_by_another(tmp_path: Path) -> None:
    writer, reader = LocalStorage(tmp_path), LocalStorage(tmp_path)
    await writer.write(KEY, stream(b"x"))
    assert await everything(reader, KEY) == b"x"
    await writer.aclose()
    await reader.aclose()


async def test_a_disk_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_SECONDS", 0.5)
    storage = LocalStorage(tmp_path)
    # Whoever opens it to read waits in the kernel until somebody writes.
    hanging = tmp_path / "files" / "aa" / "aaaaaaaa"
    hanging.parent.mkdir(parents=True)
    os.mkfifo(hanging)
    began = time.monotonic()
    try:
        # More than there are threads.
        reads = [anext(storage.read("files/aaaaaaaa")) for _ in range(12)]
        found = await asyncio.gather(*reads, return_exceptions=True)
        assert [type(error) for error in found] == [StorageAway] * 12
        assert time.monotonic() - began < 8
    finally:
        with hanging.open("wb"):
            await storage.aclose()
