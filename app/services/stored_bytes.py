"""Bytes in the storage and the rows that own them: files, and the parts of uploads.

A row is never without its bytes: they come before it and go after it. Bytes without a row are what a crash in between
leaves; the sweep removes them when they are old enough (app.services.file_sweep).
"""

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Final, Self

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app import ids
from app.db.session import after_commit
from app.errors import APIError, InvalidRequest, RequestTooLarge, StorageFull
from app.services.storage_budget import Room
from app.storage import Storage, StorageAway, Written

log = structlog.get_logger()

#: Older bytes that no row owns are taken for forgotten.
ORPHANED_SECONDS: Final = 3600
#: A row must follow its bytes long before that.
_CLAIM_SECONDS: Final = ORPHANED_SECONDS / 2
_DELETES_AT_ONCE: Final = 16

#: The first part of a key, by the prefix of the id that is its second.
KINDS: Final = {ids.FILE: "files", ids.UPLOAD_PART: "parts"}


def key_of(object_id: str) -> str:
    """Where the bytes of a file or of a part of an upload are."""
    prefix = ids.UPLOAD_PART if object_id.startswith(f"{ids.UPLOAD_PART}_") else ids.FILE
    return f"{KINDS[prefix]}/{object_id}"


@dataclass(frozen=True, slots=True)
class Received:
    """Bytes that are in the storage for an object that has no row yet."""

    id: str
    written: Written
    at: float = field(default_factory=time.monotonic)

    def refuse_empty(self, param: str) -> None:
        """Raises InvalidRequest where nothing has come; `param` is the field that should have held it."""
        if not self.written.bytes:
            raise InvalidRequest(f"Invalid '{param}': the file is empty.", param=param, code="empty_file")

    def claim(self) -> Written:
        """To be called by who makes the row, right before the commit. Raises InvalidRequest if it is too late for that.

        A client that goes on with its request for an hour after the bytes would get a row whose bytes were swept away.
        """
        if time.monotonic() - self.at > _CLAIM_SECONDS:
            raise InvalidRequest("The request took too long after its bytes had come. Please try again.")
        return self.written


class Incoming:
    """Receives bytes for one new object, and takes them back if the block it is used in refuses the request.

    After any other error nobody knows whether a row was committed: then the sweep decides.
    """

    def __init__(self, storage: Storage, prefix: str, limit: int | None = None, *, room: Room | None = None) -> None:
        """`limit` is that of the object, `room` what the project has left; None for none."""
        self._storage = storage
        self._id = ids.new(prefix)
        self._limit = limit
        self._room = room
        self._received: Received | None = None

    async def take(self, data: AsyncIterable[bytes]) -> Received:
        """Writes `data` to the storage. Raises RequestTooLarge, StorageFull, and StorageAway."""
        counted = data
        if self._limit is not None:
            too_large = RequestTooLarge(f"The file is too large. Expected {self._limit} bytes at most.")
            counted = _limited(counted, self._limit, too_large)
        if self._room is not None:
            counted = _limited(counted, self._room.bytes, StorageFull.of(self._room.limit))
        self._received = Received(self._id, await self._storage.write(key_of(self._id), counted))
        return self._received

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        if isinstance(error, APIError) and self._received is not None:
            await remove(self._storage, [self._id])


async def _limited(data: AsyncIterable[bytes], limit: int, error: APIError) -> AsyncIterator[bytes]:
    left = limit
    async for chunk in data:
        left -= len(chunk)
        if left < 0:
            raise error
        yield chunk


async def remove(storage: Storage, object_ids: Sequence[str]) -> None:
    """Deletes the bytes of objects that have no rows. A storage that is away is no error: there is the sweep."""
    for begin in range(0, len(object_ids), _DELETES_AT_ONCE):
        some = object_ids[begin : begin + _DELETES_AT_ONCE]
        try:
            await asyncio.gather(*(storage.delete(key_of(object_id)) for object_id in some))
        except StorageAway:
            log.warning("bytes_left_to_the_sweep", count=len(object_ids))
            return


def remove_after_commit(session: AsyncSession, storage: Storage, object_ids: Sequence[str]) -> None:
    """Deletes the bytes of objects whose rows `session` deletes, once that is committed."""
    if object_ids:
        after_commit(session, partial(remove, storage, object_ids))
