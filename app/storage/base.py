"""What a storage is, to those who keep bytes in one."""

import re
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from app.errors import ServiceUnavailable

_KEY: Final = re.compile(r"[a-z]+/[A-Za-z0-9_-]{8,}")


class BytesMissing(Exception):
    """There is nothing under this key."""


class StorageAway(ServiceUnavailable):
    """The storage cannot be reached, refuses, or is full. What exactly it said belongs into the log."""

    def __init__(self) -> None:
        super().__init__("The file storage of this server cannot be used right now. Please try again.")


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: how many bytes, and their digests."""

    sha256: bytes
    md5: str
    bytes: int


@dataclass(frozen=True, slots=True)
class StoredObject:
    """A key that is there, and when its bytes came, by the clock of the storage."""

    key: str
    modified: datetime


class Storage(Protocol):
    """Bytes under keys. A key is `<kind>/<id>`, made by Locum and never from a name that a user gave.

    Every method raises StorageAway if the storage is out of order.
    """

    async def write(self, key: str, data: AsyncIterable[bytes]) -> Written:
        """Puts all of `data` under `key`, in bounded memory.

        All or nothing: where `data` raises, the task is cancelled or the process dies, nothing is to be seen.
        """
        ...

    def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from `start` up to `end`, or as far as there are any. Raises BytesMissing."""
        ...

    async def delete(self, key: str) -> None:
        """Removes the bytes; no error if there are none."""
        ...

    def list(self, kind: str) -> AsyncIterator[StoredObject]:
        """Everything whose key begins with `<kind>/`, in any order."""
        ...

    async def clear_unfinished(self, before: datetime) -> None:
        """Removes what interrupted writes have left, if nothing was added to it since `before`."""
        ...

    async def aclose(self) -> None:
        """Gives back what the process holds of it."""
        ...


def checked(key: str) -> str:
    """`key`, if it is one of ours. Raises ValueError: keys become paths."""
    if not _KEY.fullmatch(key):
        raise ValueError(f"no key of a storage: {key!r}")
    return key
