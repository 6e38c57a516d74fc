"""Streams of events, line by line."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import orjson

#: v1 had no event of its own for runs that ended early: it told of them as completed, with the status in the run.
_NAMES: Final = {b"event: thread.run.incomplete": b"event: thread.run.completed"}
_DATA: Final = b"data: "
_END: Final = b"\n"


class EventTranslator:
    """Translates a stream; `translate` does so with the data of one event."""

    def __init__(self, translate: Callable[[Any], Awaitable[Any]]) -> None:
        self._translate = translate
        self._rest = b""

    async def feed(self, data: bytes) -> bytes:
        """The lines that are whole with `data`, translated."""
        *lines, self._rest = (self._rest + data).split(_END)
        return b"".join([await self._line(line) + _END for line in lines])

    def rest(self) -> bytes:
        """What came behind the last whole line."""
        return self._rest

    async def _line(self, line: bytes) -> bytes:
        if not line.startswith(_DATA + b"{"):
            return _NAMES.get(line, line)
        return _DATA + orjson.dumps(await self._translate(orjson.loads(line.removeprefix(_DATA))))
