"""Streams of events, frame by frame."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import orjson

#: v1 had no event of its own for runs that ended early: it told of them as completed, with the status in the run.
_NAMES: Final = {b"event: thread.run.incomplete": b"event: thread.run.completed"}
_DATA: Final = b"data: "
_END: Final = b"\n\n"


class EventTranslator:
    """Translates a stream; `translate` does so with the data of one event."""

    def __init__(self, translate: Callable[[Any], Awaitable[Any]]) -> None:
        self._translate = translate
        self._rest = b""

    async def feed(self, data: bytes) -> bytes:
        """The frames that are whole with `data`, translated."""
        *frames, self._rest = (self._rest + data).split(_END)
        return b"".join([await self._frame(frame) + _END for frame in frames])

    def rest(self) -> bytes:
        """What came behind the last whole frame."""
        return self._rest

    async def _frame(self, frame: bytes) -> bytes:
        lines = [_NAMES.get(line, line) for line in frame.split(b"\n")]
        return b"\n".join([await self._line(line) for line in lines])

    async def _line(self, line: bytes) -> bytes:
        if not line.startswith(_DATA + b"{"):
            return line
        return _DATA + orjson.dumps(await self._translate(orjson.loads(line.removeprefix(_DATA))))
