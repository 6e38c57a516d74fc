"""The event log of each run: a Redis stream that workers append to and streaming requests read from.

An entry's id is `<attempt>-<number>`: the run's fencing token and a count from 1. Redis refuses an id that is not above
the last one, so a worker that has lost its run cannot add to the log; and a reader who sees a number left out knows
that entries are lost. The same id is the `id:` of the server-sent event, so `Last-Event-ID` is a place in the log.

An entry has one field: the event's name, with the whole encoded frame as its value. Readers pass it on as it is.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

import structlog
from pydantic import BaseModel
from pydantic_core import PydanticSerializationError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app import ids
from app.db.redis import BLOCK_SECONDS, for_blocking_reads
from app.errors import in_brief
from app.settings import Settings
from app.supervision import Supervisor
from app.text import to_json

log = structlog.get_logger()

DONE = b"event: done\ndata: [DONE]\n\n"
#: No empty line behind it: once it has seen an id, the Python client takes an empty line for the end of an event.
KEEP_ALIVE = b": keep-alive\n"

_PACKED_BITS = 32
_BATCH = 512
_BLOCK_MS = round(1000 * BLOCK_SECONDS)
_TAIL = "event log tail"
_MAX_UNREAD = 2048
_RETRY_SECONDS = 0.5
#: For what a reader waits for, beside the events themselves: it can do without.
_PATIENCE = 2.0
#: For the events that tell of a run being queued: they are written as soon as that is committed.
_BEGINNING_MS = 1000

#: Appends to the log KEYS[1] the entries ARGV[2..] (id, name and frame of each), and sets how many seconds it is kept,
#: ARGV[1]. One command, so no log is ever without an expiry: not one that Redis lost and that begins anew in its
#: middle, and not one whose writer dies. Entries below the last id are left out.
_APPEND = """
local failure
for i = 2, #ARGV, 3 do
  local answer = redis.pcall('XADD', KEYS[1], ARGV[i], ARGV[i + 1], ARGV[i + 2])
  if type(answer) == 'table' and answer.err and not string.find(answer.err, 'equal or smaller', 1, true) then
    failure = answer
    break
  end
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return failure
"""
#: Has the log KEYS[1], if it is there, refuse from now on what is not above the id ARGV[1]. The mark that raises the
#: last id is gone before anybody reads it. (XSETID would also lower that of an empty log: a sealed one would open.)
_FENCE = """
local mark = redis.pcall('XADD', KEYS[1], 'NOMKSTREAM', ARGV[1], 'fence', '')
if type(mark) == 'string' then redis.call('XDEL', KEYS[1], mark) end
"""
#: Empties the logs KEYS and has them refuse every entry from now on (the id is above all that an attempt can give),
#: until they expire after ARGV[1] seconds. A log that is not there is not made.
_SEAL = """
for _, key in ipairs(KEYS) do
  redis.call('XADD', key, 'NOMKSTREAM', 'MAXLEN', '=', 0, '18446744073709551615-0', 'sealed', '')
  redis.call('EXPIRE', key, ARGV[1])
end
"""


class Place(NamedTuple):
    """A place in the log of a run. Places are ordered; (0, 0) is before the first entry."""

    attempt: int
    number: int

    def __str__(self) -> str:
        return f"{self.attempt}-{self.number}"

    @property
    def packed(self) -> int:
        """The place as one number, in the order of places: as rows keep it."""
        return self.attempt << _PACKED_BITS | self.number

    @classmethod
    def unpacked(cls, packed: int) -> "Place":
        """The place that is `packed` so."""
        return cls(packed >> _PACKED_BITS, packed & (1 << _PACKED_BITS) - 1)

    @classmethod
    def parse(cls, text: str) -> "Place":
        """The place that an SSE id names. Raises ValueError if it is none."""
        attempt, _, number = text.partition("-")
        if not (attempt.isascii() and attempt.isdigit() and number.isascii() and number.isdigit()):
            raise ValueError(f"not an event id: {text!r}")
        place = cls(int(attempt), int(number))
        if max(place) >= 2**63:
            raise ValueError(f"not an event id: {text!r}")
        return place

    def follows(self, earlier: "Place") -> bool:
        """Whether nothing can have been between `earlier` and this."""
        if self.attempt == earlier.attempt:
            return self.number == earlier.number + 1
        return self.number == 1


START = Place(0, 0)


class RunEvent(NamedTuple):
    """An event by the contract's name (section 7), with its payload as JSON."""

    name: str
    data: bytes


class Entry(NamedTuple):
    """An event in the log, with its whole frame."""

    place: Place
    name: str
    frame: bytes

    @property
    def event(self) -> RunEvent:
        """The event by itself."""
        return RunEvent(self.name, self.frame.partition(b"\ndata: ")[2].rstrip(b"\n"))


def object_id(data: bytes) -> bytes:
    """The id of the object that an event's payload is, or is about: it comes first in all of them."""
    return data.partition(b'"id":"')[2].partition(b'"')[0]


def event(name: str, payload: BaseModel) -> RunEvent:
    """The event `name` with an object of the API as its payload, its text storable (app.text)."""
    try:
        return RunEvent(name, payload.model_dump_json().encode())
    except PydanticSerializationError:  # it takes no surrogates
        return RunEvent(name, to_json(payload.model_dump(mode="json")))


def frame(place: Place, name: str, data: bytes) -> bytes:
    """One server-sent event (WHATWG HTML, 9.2): JSON has no line breaks, so one data line is enough."""
    return b"id: %d-%d\nevent: %s\ndata: %s\n\n" % (place.attempt, place.number, name.encode(), data)


def key(run_id: str) -> str:
    """The Redis key of a run's log."""
    return f"locum:run:{run_id}:events"


class Subscription:
    """A reader's place in the log of one run, and the entries that have come since."""

    def __init__(self, log: "EventLog", run_id: str, after: Place) -> None:
        self.run_id = run_id
        self.place = after
        self._log = log
        self._unread: deque[Entry] = deque()
        self._arrived = asyncio.Event()

    @property
    def is_full(self) -> bool:
        """Whether the reader is far behind: the log then waits for it instead of piling up entries."""
        return len(self._unread) >= _MAX_UNREAD

    def put(self, entries: Iterable[Entry]) -> None:
        """Takes what is new to this reader."""
        for entry in entries:
            if entry.place > self.place:
                self.place = entry.place
                self._unread.append(entry)
        if self._unread:
            self._arrived.set()

    async def get(self, patience: float) -> list[Entry]:
        """The entries that have come, waiting for the first up to `patience` seconds; empty if none came."""
        if not self._unread:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._arrived.wait()
        entries = list(self._unread)
        was_full = self.is_full
        self._unread.clear()
        self._arrived.clear()
        if was_full:
            await self._log.wake()
        return entries


class EventLog:
    """The logs of all runs, as one process sees them: it appends, and tails its readers' runs on one connection."""

    def __init__(self, redis: Redis, settings: Settings, supervisor: Supervisor | None = None) -> None:
        """`supervisor` keeps the tail, which begins with the first reader; one of its own without it."""
        self._redis = redis
        self._supervisor = supervisor or Supervisor()
        self._retention = settings.event_retention_seconds
        self._subscriptions: dict[str, set[Subscription]] = {}
        self._wake_key = f"locum:wake:{ids.new('tail')}"
        #: For the tail alone, whose reads block.
        self._blocking: Redis | None = None
        #: Whether Redis failed to answer, and has not answered the tail since.
        self.is_silent = False

    async def append(self, run_id: str, attempt: int, events: Iterable[RunEvent], first: int = 1) -> None:
        """Appends events as the numbers from `first` on of `attempt`. Raises redis.exceptions.RedisError.

        Entries that the log already holds, or that a later attempt has overtaken, are left out.
        """
        numbered = [(run_id, Place(attempt, number), item) for number, item in enumerate(events, first)]
        await self.append_all(numbered)

    async def append_all(self, entries: Iterable[tuple[str, Place, RunEvent]]) -> None:
        """Appends entries of many runs in one round trip; otherwise as `append`."""
        arguments: dict[str, list[str | bytes]] = {}
        for run_id, place, item in entries:
            arguments.setdefault(run_id, []).extend((str(place), item.name, frame(place, *item)))
        async with self._redis.pipeline(transaction=False) as pipeline:
            for run_id, given in arguments.items():
                pipeline.execute_command("EVAL", _APPEND, 1, key(run_id), self._retention, *given)
            await pipeline.execute()

    async def last_entry(self, run_id: str) -> Entry | None:
        """The newest entry of a run's log, or None if there is no log. Raises redis.exceptions.RedisError, OSError."""
        async with asyncio.timeout(_PATIENCE):
            answer = await self._redis.execute_command("XREVRANGE", key(run_id), "+", "-", "COUNT", 1)
        return _entries(answer)[0] if answer else None

    async def fence(self, run_id: str, attempt: int) -> None:
        """Has a run's log refuse all that attempts before `attempt` have yet to write. Raises RedisError, OSError.

        What is read after this is all that they will ever have told. A worker that was frozen, or whose connection
        was, would else tell on between the look of the one that takes its run over and that one's first event.
        """
        async with asyncio.timeout(_PATIENCE):
            await self._redis.execute_command("EVAL", _FENCE, 1, key(run_id), str(Place(attempt, 0)))

    async def read(self, run_id: str) -> list[RunEvent]:
        """What a run's log tells, in order and without its deltas. Raises redis.exceptions.RedisError, OSError."""
        found: list[RunEvent] = []
        start = "-"
        while True:
            async with asyncio.timeout(_PATIENCE):
                page = await self._redis.execute_command("XRANGE", key(run_id), start, "+", "COUNT", _BATCH)
            entries = _entries(page)
            found += [entry.event for entry in entries if not entry.name.endswith(".delta")]
            if len(entries) < _BATCH:
                return found
            start = f"({entries[-1].place}"

    async def wait_for_beginning(self, run_id: str, attempt: int) -> bool:
        """Waits until the log holds something of `attempt`, or of a later one; not for long, for it may have been lost.

        Gives whether it does.

        A worker can come by a run between the commit that queued it and the events that tell so. Were it to write
        first, those would be refused as too late, and streams would lack their beginning.
        """
        try:
            async with asyncio.timeout(_PATIENCE):
                answer = await self._redis.execute_command(
                    "XREAD", "COUNT", 1, "BLOCK", _BEGINNING_MS, "STREAMS", key(run_id), f"{attempt}-0"
                )
        except (RedisError, OSError) as error:
            log.warning("event_log_away", error=in_brief(error))
            return False
        return bool(answer)

    async def forget(self, run_ids: Sequence[str]) -> None:
        """Drops the logs of runs that are deleted, in one round trip; what their workers have yet to write is refused.

        Raises redis.exceptions.RedisError.
        """
        async with self._redis.pipeline(transaction=False) as pipeline:
            for start in range(0, len(run_ids), _BATCH):
                keys = [key(run_id) for run_id in run_ids[start : start + _BATCH]]
                pipeline.execute_command("EVAL", _SEAL, len(keys), *keys, self._retention)
            await pipeline.execute()

    @contextlib.asynccontextmanager
    async def subscribe(self, run_id: str, after: Place) -> AsyncIterator[Subscription]:
        """Follows a run's log from the entry after `after`, until the block is left."""
        subscription = Subscription(self, run_id, after)
        self._subscriptions.setdefault(run_id, set()).add(subscription)
        try:
            await self.wake()
            yield subscription
        finally:
            followers = self._subscriptions[run_id]
            followers.discard(subscription)
            if not followers:
                del self._subscriptions[run_id]

    async def wake(self) -> None:
        """Has the tail look at its list of runs again: one was added, or a full reader has room."""
        if self._blocking is None:
            self._blocking = for_blocking_reads(self._redis)
            self._supervisor.keep(_TAIL, partial(self._follow, self._blocking))
        try:
            async with asyncio.timeout(_PATIENCE):
                # As a transaction: of a process that is killed the key does not stay.
                async with self._redis.pipeline(transaction=True) as pipeline:
                    pipeline.execute_command("XADD", self._wake_key, "MAXLEN", "1", "*", "w", "")
                    pipeline.expire(self._wake_key, self._retention)
                    await pipeline.execute()
        except (RedisError, OSError) as error:
            self.is_silent = True
            log.warning("event_log_away", error=in_brief(error))

    async def close(self) -> None:
        """Ends the tail. Readers get nothing more."""
        if self._blocking is not None:
            await self._supervisor.end(_TAIL)
            await self._blocking.aclose()
            self._blocking = None
            # It has an expiry, so a Redis that is away may keep it.
            with contextlib.suppress(RedisError, TimeoutError):
                async with asyncio.timeout(_PATIENCE):
                    await self._redis.delete(self._wake_key)

    async def _follow(self, redis: Redis) -> None:
        woken = "0-0"
        while True:
            places = self._places()
            streams = [self._wake_key, *map(key, places)]
            starts = [woken, *map(str, places.values())]
            try:
                answer = await redis.execute_command(
                    "XREAD", "COUNT", _BATCH, "BLOCK", _BLOCK_MS, "STREAMS", *streams, *starts
                )
            except RedisError as error:
                self.is_silent = True
                log.warning("event_log_away", error=in_brief(error))
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            self.is_silent = False
            for name, entries in _pairs(answer):
                if name == self._wake_key:
                    woken = entries[-1][0].decode()
                else:
                    run_id = name.removeprefix("locum:run:").removesuffix(":events")
                    self._deliver(run_id, places[run_id], entries)

    def _places(self) -> dict[str, Place]:
        places = {}
        for run_id, followers in self._subscriptions.items():
            waiting = [follower.place for follower in followers if not follower.is_full]
            if waiting:
                places[run_id] = min(waiting)
        return places

    def _deliver(self, run_id: str, after: Place, raw: list[tuple[bytes, Any]]) -> None:
        """Hands what was read behind `after` to the run's followers.

        One that joined, or made room, while the answer was under way may be before that place: to it this would be a
        gap. The next look reads from where it is.
        """
        entries = _entries(raw)
        for follower in self._subscriptions.get(run_id, ()):
            if follower.place >= after and not follower.is_full:
                follower.put(entries)


def _pairs(answer: Any) -> Iterable[tuple[str, list[tuple[bytes, Any]]]]:
    """XREAD's answer, in the shapes of RESP2 (list of pairs) and RESP3 (map), as (key, entries)."""
    items = answer.items() if isinstance(answer, dict) else answer or ()
    for name, entries in items:
        nested = (
            len(entries) == 1
            and isinstance(entries[0], list)
            and entries[0]
            and isinstance(entries[0][0], list | tuple)
        )
        yield name.decode(), entries[0] if nested else entries


def _entries(raw: Iterable[tuple[bytes, Any]]) -> list[Entry]:
    entries = []
    for entry_id, fields in raw:
        name, data = next(iter(fields.items())) if isinstance(fields, dict) else fields
        entries.append(Entry(Place.parse(entry_id.decode()), name.decode(), data))
    return entries
