"""Reads pipes on an event loop, and leaves their descriptors to who opened them.

A transport of the loop would close them too. uvloop's does it by number, and once more through the file object: by then
another thread may have a file or a connection by that number.
"""

import asyncio
import io
import os
from typing import Final

_READ_BYTES: Final = 2**16


class PipeReader:
    """The reading end of a pipe, for one reader at a time; `file` is to be closed by its owner, after the last read."""

    def __init__(self, file: io.FileIO) -> None:
        self._descriptor = file.fileno()
        os.set_blocking(self._descriptor, False)

    async def read(self) -> bytes:
        """Returns what has come, waiting for something; nothing at the end. Raises OSError."""
        while True:
            try:
                return os.read(self._descriptor, _READ_BYTES)
            except BlockingIOError:
                await self._until_readable()

    async def read_all(self) -> bytes:
        """Returns everything up to the end. Raises OSError."""
        found = bytearray()
        while data := await self.read():
            found += data
        return bytes(found)

    async def _until_readable(self) -> None:
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(self._descriptor, readable.set)
        try:
            await readable.wait()
        finally:
            loop.remove_reader(self._descriptor)
