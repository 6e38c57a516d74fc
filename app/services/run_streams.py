"""A run's events as server-sent events: from its log, or, where the log is lost, from the database.

Takes ids, never a session: the stream outlives the request's transaction. A reader never hangs: while the log is
silent the run's row is looked at now and then, and an ended run's stream is finished from its rows.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import orjson
import structlog
from redis.exceptions import RedisError
from sqlalchemy import select

from app.db.session import DATABASE_AWAY, Sessions, transaction
from app.domain.statuses import TERMINAL
from app.errors import APIError, in_brief
from app.events import (
    DONE,
    ENDINGS,
    KEEP_ALIVE,
    START,
    Entry,
    EventLog,
    Place,
    RunEvent,
    Subscription,
    event,
    frame,
    object_id,
)
from app.models import Message, Run, RunStep
from app.schemas import runs as run_schemas
from app.services import run_story
from app.services.told import Told

log = structlog.get_logger()

#: How long the log may be silent before the run's row is asked, in seconds.
_PATIENCE: Final = 2.0
#: The same for a reader's first look: there is a log, and it answers at once, or there is none.
_FIRST_PATIENCE: Final = 0.2
#: How long a log may be silent that does not tell that the run was created, or that it is under way: Redis is away, or
#: the worker was lost before it could tell. Then the row tells.
_BEGINNING_SECONDS: Final = 4.0
#: What a look at the rows may take: a reader of a database that is silent still hears that the stream lives.
_ROWS_SECONDS: Final = 5.0
#: Events told from the database are numbered from here, above any that a log can hold.
_FROM_ROWS: Final = 2**32
#: And from here those that end, before that, what this reader alone has seen begin.
_OF_DROPPED: Final = 2**31
#: Behind the events of an attempt that queued the run: that it is in progress, told from the row.
_BEGUN: Final = 2**31 - 1
_IN_PROGRESS: Final = "thread.run.in_progress"
_TERMINAL_EVENTS: Final = ENDINGS - {"thread.run.requires_action"}
#: The place of the last event that tells of a new run being queued.
_QUEUED: Final = Place(0, 2)


class RunGone(APIError):
    """The run was deleted, with its thread, while its events were read."""

    status = 404
    type = "invalid_request_error"


async def stream(
    sessions: Sessions, events: EventLog, run_id: str, after: Place, keep_alive: float
) -> AsyncIterator[bytes]:
    """The frames of a run's events behind `after`, up to the run's ending or its pause, and then `done`.

    A comment is sent after `keep_alive` seconds of silence. A run deleted meanwhile ends the stream with an `error`
    event.
    """
    reader = _Reader(sessions, events, run_id, after)
    clock = asyncio.get_running_loop().time
    told_at, heard_at, patience = clock(), clock(), _FIRST_PATIENCE
    async with events.subscribe(run_id, after) as subscription:
        while not reader.ended:
            entries = await reader.next_entries(subscription, patience)
            patience = min(_PATIENCE, keep_alive)
            if entries:
                told_at = heard_at = clock()
                if reader.lacks_beginning(entries):
                    yield await reader.beginning(entries[0])
                yield reader.pass_on(entries)
                continue
            try:
                async with asyncio.timeout(_ROWS_SECONDS):
                    told = await reader.look_at_rows(clock() - heard_at)
            except DATABASE_AWAY as error:
                # So nothing has ended; the reader waits as the run does.
                log.warning("rows_away", run_id=run_id, error=in_brief(error))
                told = b""
            if told:
                told_at = clock()
                yield told
            elif clock() - told_at >= keep_alive:
                told_at = clock()
                yield KEEP_ALIVE
    yield reader.done()


class _Reader:
    def __init__(self, sessions: Sessions, events: EventLog, run_id: str, after: Place) -> None:
        self._sessions = sessions
        self._events = events
        self._run_id = run_id
        self._place = after
        self._log_is_whole = True
        self._told = Told()
        self._is_from_start = after == START
        self.ended = False

    def done(self) -> bytes:
        return b"id: %s\n" % str(self._place).encode() + DONE

    async def next_entries(self, subscription: Subscription, patience: float) -> list[Entry]:
        """What the log tells next, as `Subscription.get`; nothing more once something is missing in it."""
        if self._log_is_whole:
            return await subscription.get(patience)
        await asyncio.sleep(patience)
        return []

    def lacks_beginning(self, entries: list[Entry]) -> bool:
        """Whether the log, of which these are the first entries, has nothing of the run's creation: Redis was away."""
        return self._place == START and entries[0].place.attempt > 0

    async def beginning(self, first: Entry) -> bytes:
        """What the log should have told first, from the run's row; `first` is what it has instead."""
        # Else more is missing than the creation, and the story is told when it is over.
        self._log_is_whole = first.place == Place(1, 1)
        async with transaction(self._sessions) as session:
            run = await session.get(Run, self._run_id)
        return b"" if run is None else self._created(run)

    def _created(self, run: Run) -> bytes:
        frames = []
        for number, item in enumerate(run_story.beginning(run), 1):
            self._place = Place(0, number)
            frames.append(frame(self._place, *item))
        return b"".join(frames)

    def pass_on(self, entries: list[Entry]) -> bytes:
        """The frames of `entries`, as far as none is missing before them."""
        frames = []
        for entry in entries:
            if entry.place <= self._place:
                continue  # the row has told it
            self._log_is_whole = self._log_is_whole and self._can_be_next(entry)
            if not self._log_is_whole:
                break
            is_known = entry.name == _IN_PROGRESS and self._place.number == _BEGUN
            self._place = entry.place
            if is_known:
                continue
            self.ended = entry.name in ENDINGS
            if not entry.name.endswith(".delta"):
                self._told.take(entry.event)
            frames.append(entry.frame)
        return b"".join(frames)

    def _can_be_next(self, entry: Entry) -> bool:
        """Whether nothing is missing before `entry`.

        Where an attempt follows another the numbers do not tell; but nothing that was not begun ends, and a run does
        not end before what is in it.
        """
        if not entry.place.follows(self._place):
            return False
        if entry.name in _TERMINAL_EVENTS:
            return not self._told.is_open
        if entry.name.endswith(".delta") or not self._is_from_start:
            return True
        return self._told.knows_object_of(entry.event)

    async def look_at_rows(self, silent_seconds: float) -> bytes:
        """What the rows tell that the log, which has been silent for so long, did not.

        That is the rest of a run that has ended; and of another one that it was created and is under way.
        """
        async with transaction(self._sessions) as session:
            run = await session.get(Run, self._run_id)
        if run is None:
            self.ended = True
            return self._error(RunGone("The thread of this run was deleted.", code="thread_deleted"))
        if run.status not in (*TERMINAL, "requires_action"):
            return self._tell_beginning(run) if silent_seconds >= _BEGINNING_SECONDS else b""
        # No transaction is open while Redis is waited for.
        if self._log_is_whole and (last := await self._last_entry(run)) is not None:
            self.ended = last.place == self._place
            return b""
        return await self._tell_rows(run.id)

    def _tell_beginning(self, run: Run) -> bytes:
        """What comes before all that takes time: the log goes on behind it, and what it tells again is left out."""
        if not self._log_is_whole:
            return b""
        told = self._created(run) if self._place == START else b""
        is_queued = self._told.last == "thread.run.queued" or self._place == _QUEUED
        if run.status != "in_progress" or not is_queued or self._place.number == _BEGUN:
            return told
        self._place = Place(self._place.attempt, _BEGUN)
        return told + frame(self._place, *event(_IN_PROGRESS, run_schemas.Run.model_validate(run)))

    async def _tell_rows(self, run_id: str) -> bytes:
        """Returns the rest of a run that has ended or pauses, from one look at its rows; nothing if it went on."""
        async with transaction(self._sessions) as session:
            run = await session.get(Run, run_id)
            if run is None or run.status not in (*TERMINAL, "requires_action"):
                return b""
            steps = (await session.scalars(select(RunStep).where(RunStep.run_id == run.id).order_by(RunStep.seq))).all()
            written = select(Message).where(Message.run_id == run.id, Message.thread_id == run.thread_id)
            messages = {message.id: message for message in await session.scalars(written)}
        self.ended = True
        return self._tell(run, run_story.whole(run, list(steps), messages))

    async def _last_entry(self, run: Run) -> Entry | None:
        """The log's ending of the run, if the log still has it and the reader is not past it."""
        try:
            last = await self._events.last_entry(run.id)
        except (RedisError, OSError):
            return None
        return last if last is not None and last.name in ENDINGS and last.place >= self._place else None

    def _tell(self, run: Run, story: list[RunEvent]) -> bytes:
        """The frames of what is new to this reader in `story`, the rows' events, and before that of what is not there.

        A reader of these who is cut off goes on behind the same numbers.
        """
        kept = {object_id(item.data).decode() for item in story}
        numbered = [*enumerate(self._told.end_dropped(kept), _OF_DROPPED), *enumerate(story, _FROM_ROWS)]
        frames = []
        for number, item in numbered:
            place = Place(run.attempt, number)
            if place > self._place and not self._told.has(item):
                frames.append(frame(place, *item))
                self._place = place
        return b"".join(frames)

    def _error(self, error: APIError) -> bytes:
        """Both forms in one object: which of them a client's version understands differs (contract, section 7)."""
        body = error.body()
        return b"event: error\ndata: %s\n\n" % orjson.dumps(body | body["error"])
