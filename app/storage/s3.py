"""Bytes in a bucket of S3, or of a server that speaks it."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

import obstore
import structlog
from obstore.exceptions import BaseError
from obstore.store import S3Store

from app.errors import in_brief
from app.settings import Settings
from app.storage.base import BytesMissing, StorageAway, StoredObject, Written, checked
from app.storage.finishing import finished
from app.storage.pieces import Digest, in_pieces

if TYPE_CHECKING:
    # Names for type checkers alone.
    from obstore.store import ClientConfig, RetryConfig, S3Config

log = structlog.get_logger()

_PIECE_BYTES: Final = 2**20
#: A multipart upload has 10,000 parts at most, each but the last of 5 MiB or more: 50 GB may be written so.
_PART_BYTES: Final = 5 * 2**20
_PARTS_AT_ONCE: Final = 2
#: A request each, so that a client who reads slowly keeps no connection to S3 waiting until it times out.
_READ_BYTES: Final = 4 * 2**20
#: What is silent for so long does not answer. A write is heard of when a part of it is there: ten megabytes are then
#: under way.
_READ_SECONDS: Final = 8
_WRITE_SECONDS: Final = 20
#: Nothing is tried again once it has taken so long.
_RETRY: "Final[RetryConfig]" = {"max_retries": 4, "retry_timeout": timedelta(seconds=10)}


class S3Storage:
    """A storage below `s3://bucket/prefix`; the object `<prefix>/<kind>/<id>` for each key.

    S3 itself shows an object only when it is whole. The parts of a write that was cut off by a crash stay in the bucket
    unseen, until the rule of its lifecycle for incomplete uploads removes them (docs/deploying.md).
    """

    def __init__(self, settings: Settings) -> None:
        """Opens no connection. Raises ValueError for a `storage_url` that is not `s3://bucket/prefix`."""
        url = urlsplit(settings.storage_url or "")
        if url.scheme != "s3" or not url.netloc:
            raise ValueError("LOCUM_STORAGE_URL must be s3://bucket/prefix")
        prefix = url.path.strip("/") or None
        self._store = _store(settings, url.netloc, prefix, _READ_SECONDS)
        self._written = _store(settings, url.netloc, prefix, _WRITE_SECONDS)

    async def write(self, key: str, data: AsyncIterable[bytes]) -> Written:
        digest = Digest()
        feed = _Feed(_digested(data, digest))
        with _translated():
            await finished(asyncio.ensure_future(self._put(checked(key), feed)), on_cancel=feed.stop)
        return digest.written()

    async def _put(self, key: str, feed: "_Feed") -> None:
        await obstore.put_async(self._written, key, feed, chunk_size=_PART_BYTES, max_concurrency=_PARTS_AT_ONCE)

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        with _translated():
            size = (await obstore.head_async(self._store, checked(key)))["size"]
        end = size if end is None else min(end, size)
        while start < end:
            until = min(start + _READ_BYTES, end)
            with _translated():
                piece = bytes(await obstore.get_range_async(self._store, key, start=start, end=until))
            yield piece
            start = until

    async def delete(self, key: str) -> None:
        with _translated():
            await obstore.delete_async(self._store, checked(key))

    async def list(self, kind: str) -> AsyncIterator[StoredObject]:
        with _translated():
            async for page in obstore.list(self._store, kind):
                for found in page:
                    yield StoredObject(found["path"], found["last_modified"])

    async def clear_unfinished(self, before: datetime) -> None:
        """Nothing: the bucket's own rules do it."""

    async def aclose(self) -> None:
        """Nothing: connections that nobody uses close by themselves."""


def _store(settings: Settings, bucket: str, prefix: str | None, silent_seconds: int) -> S3Store:
    plain = (settings.s3_endpoint or "").startswith("http://")
    client: ClientConfig = {
        "allow_http": plain,
        "connect_timeout": "5s",
        "read_timeout": f"{silent_seconds}s",
        "timeout": "60s",
    }
    return S3Store(bucket, prefix=prefix, config=_config(settings), client_options=client, retry_config=_RETRY)


def _config(settings: Settings) -> "S3Config":
    config: S3Config = {"region": settings.s3_region}
    if settings.s3_endpoint is not None:
        config["endpoint"] = settings.s3_endpoint
    if settings.s3_access_key_id is not None and settings.s3_secret_access_key is not None:
        config["access_key_id"] = settings.s3_access_key_id
        config["secret_access_key"] = settings.s3_secret_access_key.get_secret_value()
    return config


@contextmanager
def _translated() -> Iterator[None]:
    """Errors of obstore in our words."""
    try:
        yield
    except FileNotFoundError as error:
        raise BytesMissing from error
    except (BaseError, OSError) as error:
        log.warning("storage_away", error=in_brief(error))
        raise StorageAway from error


async def _digested(data: AsyncIterable[bytes], digest: Digest) -> AsyncIterator[bytes]:
    async for piece in in_pieces(data, _PIECE_BYTES):
        await asyncio.to_thread(digest.update, piece)
        yield piece


class _Abandoned(Exception):
    pass


class _Feed:
    """Hands `data` to obstore, until it is stopped.

    Cancelling obstore itself would leave the parts that are there already in the bucket; an error out of the data makes
    it take them back.
    """

    def __init__(self, data: AsyncIterator[bytes]) -> None:
        self._data = data
        self._next: asyncio.Future[bytes] | None = None
        self._stopped = False

    def stop(self) -> None:
        self._stopped = True
        if self._next is not None:
            self._next.cancel()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._stopped:
            raise _Abandoned
        self._next = asyncio.ensure_future(anext(self._data))
        try:
            return await self._next
        except asyncio.CancelledError:
            raise _Abandoned from None
