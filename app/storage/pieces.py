"""Streams of bytes on their way into a storage: brought to a size, counted, digested."""

import hashlib
from collections.abc import AsyncIterable, AsyncIterator

from app.storage.base import Written


async def in_pieces(data: AsyncIterable[bytes], size: int) -> AsyncIterator[bytes]:
    """`data` in pieces of `size` bytes and a little more, but for the last: each costs a change of thread."""
    waiting: list[bytes] = []
    length = 0
    async for chunk in data:
        waiting.append(chunk)
        length += len(chunk)
        if length >= size:
            yield b"".join(waiting)
            waiting.clear()
            length = 0
    if length:
        yield b"".join(waiting)


class Digest:
    """What will be known of the bytes when all have passed."""

    def __init__(self) -> None:
        self._bytes = 0
        self._sha256 = hashlib.sha256()
        # For the clients of uploads, who may send theirs (contract, section 11).
        self._md5 = hashlib.md5(usedforsecurity=False)

    def update(self, piece: bytes) -> None:
        """Takes the next piece in. Computing it frees the interpreter for other threads."""
        self._bytes += len(piece)
        self._sha256.update(piece)
        self._md5.update(piece)

    def written(self) -> Written:
        """The result."""
        return Written(self._sha256.digest(), self._md5.hexdigest(), self._bytes)
