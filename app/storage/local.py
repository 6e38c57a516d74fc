"""Bytes in a folder: one of this machine, or one that all machines of a deployment share."""

import asyncio
import os
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from io import IOBase
from pathlib import Path
from typing import Any, BinaryIO, Final, ParamSpec, TypeVar
from uuid import uuid4

import structlog

from app.errors import in_brief
from app.storage.base import BytesMissing, StorageAway, StoredObject, Written, checked
from app.storage.finishing import finished
from app.storage.pieces import Digest, in_pieces

log = structlog.get_logger()

Given = ParamSpec("Given")
Result = TypeVar("Result")

_PIECE_BYTES: Final = 2**20
_THREADS: Final = 8
#: What one call may take, with its wait for a thread: a megabyte, or bringing a whole file to the disk. A disk that
#: hangs in the kernel cannot be left; whoever waits for it can.
_SECONDS: Final = 30.0
_UNFINISHED: Final = ".unfinished"
#: The last characters of an id are chance: they spread the files over some thousand folders.
_SHARD_CHARS: Final = 2


class LocalStorage:
    """A storage in `folder`: `<folder>/<kind>/<shard>/<id>`.

    A file is written under a name of its own beside its place, brought to the disk, and then renamed: whatever happens
    in between, its own name is not there, or it is there with all its bytes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # Its own threads: a slow disk must not hold up what else the process does in threads.
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="storage")

    async def write(self, key: str, data: AsyncIterable[bytes]) -> Written:
        path = self._path(key)
        unfinished = path.with_name(f"{uuid4().hex}{_UNFINISHED}")
        digest = Digest()
        file = await self._run(_create, unfinished)
        try:
            async for piece in in_pieces(data, _PIECE_BYTES):
                await self._run(_append, file, digest, piece)
            await self._run(_finish, file, unfinished, path)
        finally:
            await self._run(_discard, file, unfinished)
        return digest.written()

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        async with self._open(key, start) as file:
            left = float("inf") if end is None else end - start
            while left > 0:
                piece = await self._run(file.read, int(min(left, _PIECE_BYTES)))
                if not piece:
                    return
                left -= len(piece)
                yield piece

    async def delete(self, key: str) -> None:
        await self._run(self._path(key).unlink, missing_ok=True)

    async def list(self, kind: str) -> AsyncIterator[StoredObject]:
        for shard in await self._run(_shards, self._folder / kind):
            for path, modified in await self._run(_contents, shard):
                if path.suffix != _UNFINISHED:
                    yield StoredObject(f"{kind}/{path.name}", modified)

    async def clear_unfinished(self, before: datetime) -> None:
        for kind in await self._run(_shards, self._folder):
            for shard in await self._run(_shards, kind):
                for path, modified in await self._run(_contents, shard):
                    if path.suffix == _UNFINISHED and modified < before:
                        await self._run(path.unlink, missing_ok=True)

    async def aclose(self) -> None:
        self._threads.shutdown(wait=False)

    def _path(self, key: str) -> Path:
        kind, _, name = checked(key).partition("/")
        return self._folder / kind / name[-_SHARD_CHARS:] / name

    @asynccontextmanager
    async def _open(self, key: str, start: int) -> AsyncIterator[BinaryIO]:
        try:
            file = await self._run(_open_at, self._path(key), start)
        except FileNotFoundError:
            raise BytesMissing(key) from None
        try:
            yield file
        finally:
            await self._run(file.close)

    async def _run(self, call: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs) -> Result:
        """Awaits `call` in a thread; to the end, also if the task is cancelled: it may be using a file.

        Raises StorageAway where that takes too long.
        """
        work = self._threads.submit(call, *args, **kwargs)
        waiting = asyncio.wait_for(asyncio.shield(asyncio.wrap_future(work)), _SECONDS)
        try:
            return await finished(asyncio.ensure_future(waiting))
        except TimeoutError as error:
            if not work.cancel():
                work.add_done_callback(_close_late)
            log.warning("storage_away", error=f"no answer in {_SECONDS:.0f} seconds")
            raise StorageAway from error
        except FileNotFoundError:
            raise
        except OSError as error:
            log.warning("storage_away", error=in_brief(error))
            raise StorageAway from error


def _close_late(work: Future[Any]) -> None:
    """Closes the file that a call has opened for somebody who is gone."""
    if not work.cancelled() and work.exception() is None and isinstance(work.result(), IOBase):
        work.result().close()


def _create(path: Path) -> BinaryIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("xb", buffering=0)


def _append(file: BinaryIO, digest: Digest, piece: bytes) -> None:
    digest.update(piece)
    if not piece[0] and piece == bytes(len(piece)):
        # A hole, as code makes them by the gigabyte, takes no room here either.
        file.seek(len(piece), os.SEEK_CUR)
        return
    rest = memoryview(piece)
    while rest:
        rest = rest[file.write(rest) :]


def _finish(file: BinaryIO, unfinished: Path, path: Path) -> None:
    file.truncate()
    os.fsync(file.fileno())
    unfinished.rename(path)
    for folder in (path.parent, path.parent.parent):
        _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    """Brings the names in a folder to the disk; the one above it holds the folder's own."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _discard(file: BinaryIO, unfinished: Path) -> None:
    file.close()
    unfinished.unlink(missing_ok=True)


def _open_at(path: Path, start: int) -> BinaryIO:
    file = path.open("rb", buffering=0)
    try:
        file.seek(start)
    except OSError:
        file.close()
        raise
    return file


def _shards(folder: Path) -> list[Path]:
    with suppress(FileNotFoundError):
        return [path for path in folder.iterdir() if path.is_dir()]
    return []


def _contents(folder: Path) -> list[tuple[Path, datetime]]:
    return list(_dated(folder))


def _dated(folder: Path) -> Iterator[tuple[Path, datetime]]:
    for entry in os.scandir(folder):
        # Deleted since the folder was read.
        with suppress(FileNotFoundError):
            yield Path(entry), datetime.fromtimestamp(entry.stat().st_mtime, UTC)
