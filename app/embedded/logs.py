"""What the parts of `locum up` write: all of it into files that stay small, warnings to the terminal too."""

import asyncio
import re
from collections import deque
from collections.abc import Callable
from pathlib import Path

_LIMIT_BYTES = 5 * 2**20
#: Longer lines are cut: nothing a part writes may fill our memory.
_LINE_BYTES = 64 * 2**10

Say = Callable[[str], None]


class PartLog:
    """The log of one part: `<name>.log` in `folder`, and the one before it as `<name>.log.1`.

    `warning` finds the lines that `say` is told of; `record` finds where a record of several lines begins (those that
    follow belong to it).
    """

    def __init__(self, folder: Path, name: str, say: Say, *, warning: str | None, record: str) -> None:
        self._path = folder / f"{name}.log"
        self._name = name
        self._say = say
        self._warning = re.compile(warning) if warning else None
        self._record = re.compile(record)
        self._telling = False
        self._file = self._path.open("ab", buffering=0)
        self._fails = False
        #: The latest lines, to tell why a part ended.
        self.tail: deque[str] = deque(maxlen=20)

    async def copy(self, stream: asyncio.StreamReader) -> None:
        """Takes everything `stream` gives until its end."""
        while line := await _next_line(stream):
            self._write(line)

    def close(self) -> None:
        self._file.close()

    def _write(self, line: bytes) -> None:
        self._append(line)
        text = line.decode(errors="replace").rstrip()
        if text:
            self.tail.append(text)
            self._tell(text)

    def _append(self, line: bytes) -> None:
        """Whatever becomes of the file, what the part writes must be taken: with a full pipe it would stand still."""
        try:
            if self._file.tell() > _LIMIT_BYTES:
                full = self._file
                self._path.replace(self._path.with_name(self._path.name + ".1"))
                self._file = self._path.open("ab", buffering=0)
                full.close()
            self._file.write(line)
            self._fails = False
        except OSError as error:
            if not self._fails:
                self._say(f"{self._name}: its log cannot be written: {error.strerror}")
            self._fails = True

    def _tell(self, text: str) -> None:
        if self._warning is None:
            return
        if self._record.match(text):
            self._telling = self._warning.search(text) is not None
        if self._telling:
            self._say(f"{self._name}: {text}")


async def _next_line(stream: asyncio.StreamReader) -> bytes:
    """The next line with its end, or the first part of one that is too long; empty at the end of the stream."""
    try:
        return await stream.readuntil(b"\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError as error:
        return await stream.readexactly(min(error.consumed, _LINE_BYTES)) + b"\n"
