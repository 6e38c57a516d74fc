"""Appends the events of all runs of this process to their logs: what has gathered goes in one round trip.

While one round trip is under way the next events gather, and where many runs write they gather a little longer: an idle
worker writes each token at once, a busy one many together. Pieces of text that follow each other in one message,
unwritten, are joined to one delta.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog
from redis.exceptions import RedisError

from app.errors import in_brief
from app.events import EventLog, Place, RunEvent
from app.text import to_json

log = structlog.get_logger()

#: Entries that wait for a Redis that is away or silent, and their bytes; beyond them the oldest are given up (streams
#: then end from the rows).
MAX_WAITING: Final = 50_000
MAX_WAITING_BYTES: Final = 64 * 2**20
#: What an entry costs besides its text.
_ENTRY_BYTES: Final = 256
_MAX_BATCH: Final = 1_000
#: How long events gather before they are written, for each run that writes, and at most. One run alone does not wait;
#: with 200, a delta has the tokens of 100 ms, and both Redis and the API have a fraction of the work.
_GATHER_SECONDS_A_RUN: Final = 0.0005
_GATHER_SECONDS: Final = 0.1
_RETRY_SECONDS: Final = 0.2


@dataclass(slots=True)
class _Waiting:
    """An event to be written; a text delta still without its JSON, so that more text can join it."""

    run_id: str
    place: Place
    event: RunEvent | None
    text: list[str] | None = None
    around: tuple[bytes, bytes] = (b"", b"")
    size: int = 0
    #: On its way, or given up: nothing joins it any more.
    is_taken: bool = False

    def encoded(self) -> RunEvent:
        if self.event is None:
            before, after = self.around
            self.event = RunEvent("thread.message.delta", before + to_json("".join(self.text or ())) + after)
        return self.event


class RunLog:
    """The log of one attempt at a run, as its worker writes it."""

    def __init__(self, writer: "EventWriter", run_id: str, attempt: int) -> None:
        self.run_id = run_id
        self.attempt = attempt
        self.number = 0
        self._writer = writer
        self._open: _Waiting | None = None

    def append(self, *events: RunEvent) -> None:
        """Appends events, in order. Does not wait for Redis."""
        self._open = None
        for item in events:
            self._writer.put(_Waiting(self.run_id, self._next(), item))

    def place_of_next(self, ahead: int = 0) -> Place:
        """The place that the next event will have, or the one `ahead` events behind it.

        What is stored before it is told is stored with its place: readers can then be told of it by the row.
        """
        return Place(self.attempt, self.number + 1 + ahead)

    def _next(self) -> Place:
        self.number += 1
        return Place(self.attempt, self.number)

    def skip(self) -> None:
        """Leaves a number out: what came before this attempt is missing in the log, and a reader is to see that."""
        self.number += 1

    def append_text(self, before: bytes, text: str, after: bytes) -> None:
        """Appends a message delta whose JSON is `before`, the JSON string of `text`, `after`.

        Joins the last appended event if that is a delta with the same `before` and `after`, not yet on its way.
        """
        last = self._open
        if last is not None and last.text is not None and not last.is_taken and last.around == (before, after):
            last.text.append(text)
            self._writer.has_grown(last, len(text))
            return
        self._open = _Waiting(self.run_id, self._next(), None, [text], (before, after))
        self._writer.put(self._open)


class EventWriter:
    """The writing side of the event log, one a worker process."""

    def __init__(self, event_log: EventLog, live: Callable[[], int]) -> None:
        """`live` tells how many runs are writing."""
        self._log = event_log
        self._live = live
        self._waiting: deque[_Waiting] = deque()
        self._bytes = 0
        #: What is on its way, with its places, until it is written or given up.
        self._batch: list[_Waiting] = []
        self._lost = 0
        self._some = asyncio.Event()
        self._none = asyncio.Event()
        self._none.set()

    def open(self, run_id: str, attempt: int) -> RunLog:
        """The log of one attempt, to be appended to by its holder alone."""
        return RunLog(self, run_id, attempt)

    def put(self, item: _Waiting) -> None:
        """Takes an entry to be written soon."""
        self._waiting.append(item)
        self._some.set()
        self._none.clear()
        known = len(item.event.data) if item.event is not None else sum(map(len, item.text or ()))
        self.has_grown(item, _ENTRY_BYTES + known)

    def has_grown(self, item: _Waiting, size: int) -> None:
        """Counts what `item`, which waits, has become larger by; gives up the oldest entries if all is too much.

        An entry that is given up leaves its number out: readers see that something is missing.
        """
        item.size += size
        self._bytes += size
        while self._is_full() and len(self._waiting) > 1:
            self._taken()
            self._lost += 1

    def _is_full(self) -> bool:
        return len(self._waiting) >= MAX_WAITING or self._bytes >= MAX_WAITING_BYTES

    @property
    def waiting(self) -> int:
        """How many entries wait to be written."""
        return len(self._waiting) + len(self._batch)

    async def flush(self, seconds: float) -> None:
        """Waits until everything appended so far is written or given up; for `seconds` at most."""
        try:
            async with asyncio.timeout(seconds):
                await self._none.wait()
        except TimeoutError:
            log.warning("events_unwritten", count=self.waiting)

    async def write_for_ever(self) -> None:
        """Writes what comes, in order, and again after a Redis that was away has come back."""
        while True:
            await self._some.wait()
            if self._live() > 1:
                await asyncio.sleep(min(self._live() * _GATHER_SECONDS_A_RUN, _GATHER_SECONDS))
            self._batch = self._next_batch()
            try:
                await self._write(self._batch)
            finally:
                self._batch = []
            if not self._waiting:
                self._some.clear()
                self._none.set()

    def _taken(self) -> _Waiting:
        item = self._waiting.popleft()
        item.is_taken = True
        self._bytes -= item.size
        return item

    def _next_batch(self) -> list[_Waiting]:
        return [self._taken() for _ in range(min(len(self._waiting), _MAX_BATCH))]

    async def _write(self, batch: list[_Waiting]) -> None:
        entries = [(item.run_id, item.place, item.encoded()) for item in batch]
        is_first = True
        while True:
            try:
                # Safe to repeat: the log refuses an id it holds already.
                await self._log.append_all(entries)
                break
            except (RedisError, OSError) as error:
                if is_first:
                    log.warning("events_wait", count=self.waiting, error=in_brief(error))
                is_first = False
                if self._is_full():
                    self._lost += len(entries)
                    break
                await asyncio.sleep(_RETRY_SECONDS)
        if self._lost:
            log.warning("events_lost", count=self._lost)
            self._lost = 0
