"""One reader of a run's events: what it was told, and what comes next, from the log or from the rows.

Both tell the same events by the same places, so what one has told the other leaves out. Rows are committed before the
log is written: what is missing in the log before one of its entries is in the rows when that entry is read. Only
deltas are lost with the log; what they were of is told whole when it ends.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import orjson
from redis.exceptions import RedisError
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.session import Sessions, transaction
from app.domain.event_names import ENDINGS, TERMINAL_EVENTS, EventName
from app.domain.statuses import TERMINAL, RunStatus
from app.errors import APIError
from app.events import DONE, START, Entry, EventLog, Place, RunEvent, frame, object_id
from app.models import Message, Run, RunStep
from app.services import run_story
from app.services.run_story import BEGUN, MOST_AT_ONCE, Placed
from app.services.told import Told

#: How long a log may be silent before the rows tell what has come of the run: Redis is away, or the worker was lost
#: before it could tell. Where Redis is known to be away nothing is waited for.
_SILENT_SECONDS: Final = 4.0
#: The end of a run that is told from the rows is numbered from here, above any number that a log can hold.
_FROM_ROWS: Final = 2**32
#: And from here that of what was dropped, and begins anew in a later attempt.
_OF_DROPPED: Final = 2**31
_ENDED_OR_PAUSED: Final = (*TERMINAL, RunStatus.REQUIRES_ACTION)

_Rows = tuple[Run, Sequence[RunStep], dict[str, Message]]


class RunGone(APIError):
    """The run was deleted, with its thread, while its events were read."""

    status = 404
    type = "invalid_request_error"


class RunReader:
    """A place in the events of the run `run_id`, and what was told up to there."""

    def __init__(self, sessions: Sessions, events: EventLog, run_id: str, after: Place) -> None:
        self.run_id = run_id
        self._sessions = sessions
        self._events = events
        self._place = after
        self._is_from_start = after == START
        self._told = Told()
        #: Entries before which something is missing.
        self._held_up: list[Entry] = []
        #: The entry before which all was told that there is.
        self._bridged: Place | None = None
        #: Of what deltas were lost: those that come are not told.
        self._torn: set[bytes] = set()
        #: Whether the rows have told anything: until then every delta is passed on unseen.
        self._has_rows = False
        #: Whether the rows are to tell the ending, though the log has it.
        self._ends_by_rows = False
        self.ended = False

    def done(self) -> bytes:
        """The last frame."""
        return b"id: %s\n" % str(self._place).encode() + DONE

    @property
    def is_held_up(self) -> bool:
        """Whether the rows are to tell what is missing before entries that have come: `bridge`."""
        return bool(self._held_up)

    def pass_on(self, entries: list[Entry]) -> bytes:
        """The frames of `entries`, up to one before which something is missing: that one waits for `bridge`."""
        if self._ends_by_rows:
            return b""
        if self._held_up:
            self._held_up += entries
            return b""
        frames = []
        for position, entry in enumerate(entries):
            if entry.place <= self._place:
                continue  # the rows have told it
            if not self._can_be_next(entry):
                self._held_up = entries[position:]
                break
            frames.append(self._taken(entry))
        return b"".join(frames)

    def _can_be_next(self, entry: Entry) -> bool:
        """Whether nothing is missing before `entry`.

        Where an attempt follows another the numbers do not tell; but nothing that was not begun ends, and a run does
        not end before what is in it.
        """
        if entry.name in TERMINAL_EVENTS and self._told.is_open:
            return False
        if entry.place == self._bridged:
            return True
        if not entry.place.follows(self._place) or (self._place == START and entry.place.attempt > 0):
            return False
        if entry.place.attempt != self._place.attempt and not self._begins_part(entry):
            return False
        if entry.name.endswith(".delta") or not self._is_from_start:
            return True
        return self._told.knows_object_of(entry.event)

    def _begins_part(self, entry: Entry) -> bool:
        """Whether an entry of another attempt begins a part of the run of its own: no worker was lost before it.

        A queued run is in progress first, or ends: a step would be that of a worker which has taken it over.
        """
        if self._told.last == EventName.RUN_QUEUED:
            return entry.name.rpartition(".")[0] == "thread.run"
        return self._told.last == EventName.RUN_REQUIRES_ACTION or (
            self._place.number == BEGUN and entry.name == EventName.RUN_IN_PROGRESS
        )

    def _taken(self, entry: Entry) -> bytes:
        """The frame of the next entry; nothing if that was told, or is a piece of what was or will be told whole."""
        is_begun, self._place = self._place.number == BEGUN, entry.place
        if entry.name.endswith(".delta"):
            return entry.frame if not self._has_rows or self._is_of_use(entry.event) else b""
        # (A run that was made with its thread is queued by the log's third event, and by the rows' second.)
        is_queued = entry.place.attempt == 0 and self._told.has(entry.event)
        if is_queued or (is_begun and entry.name == EventName.RUN_IN_PROGRESS) or self._told.is_behind(entry.event):
            return b""
        self.ended = entry.name in ENDINGS
        self._told.take(entry.event)
        return entry.frame

    def _is_of_use(self, delta: RunEvent) -> bool:
        return object_id(delta.data) not in self._torn and not self._told.has_ended(delta)

    async def bridge(self) -> bytes:
        """The frames of what the rows tell that is missing before the entries that wait, and of those."""
        first = self._held_up[0]
        async with transaction(self._sessions) as session:
            rows = await self._rows(session)
        if rows is None:
            return self._gone()
        story = run_story.so_far(*rows)
        if first.name == EventName.RUN_IN_PROGRESS:  # which it tells itself
            story = [placed for placed in story if placed.place != Place(first.place.attempt - 1, BEGUN)]
        told = self._tell(story, rows, before=first.place)
        self._bridged = first.place
        entries, self._held_up = self._held_up, []
        if first.name in TERMINAL_EVENTS and self._told.is_open:
            self._ends_by_rows = True
            return told
        return told + self.pass_on(entries)

    async def look_at_rows(self, silent_seconds: float) -> bytes:
        """The frames of what the rows tell that the log, which has been silent for so long, did not.

        That is the rest of a run that has ended or pauses; of another one, what has come of it.
        """
        async with transaction(self._sessions) as session:
            run = await session.get(Run, self.run_id)
            if run is None:
                return self._gone()
            if run.status not in _ENDED_OR_PAUSED:
                if silent_seconds < _SILENT_SECONDS and not self._events.is_silent:
                    return b""
                rows = await self._rows_of(session, run, only_new=not self._may_be_dropped(run))
                return self._tell(run_story.so_far(*rows), rows)
        # No transaction is open while Redis is waited for.
        if not self._ends_by_rows and (last := await self._last_entry(run)) is not None:
            self.ended = last.place == self._place
            return b""
        return await self._tell_end()

    async def _tell_end(self) -> bytes:
        """Returns the rest of a run that has ended or pauses, from one look at its rows; nothing if it went on."""
        async with transaction(self._sessions) as session:
            rows = await self._rows(session)
        if rows is None or rows[0].status not in _ENDED_OR_PAUSED:
            return b""
        self.ended = True
        story, passed = run_story.whole(*rows), self._passed(rows)
        attempt = rows[0].attempt
        numbered = (Placed(Place(attempt, number), item) for number, item in enumerate(story, _FROM_ROWS))
        new = [placed for placed in numbered if (placed.event.name, object_id(placed.event.data)) not in passed]
        return self._frames([*self._dropped(rows, attempt), *new])

    def _passed(self, rows: _Rows) -> set[tuple[str, bytes]]:
        """The events of steps and messages, by name and object, that the log told before this reader's place."""
        if self._place.number >= _OF_DROPPED:
            return set()
        earlier = (item for place, item in run_story.so_far(*rows) if place <= self._place)
        return {(item.name, object_id(item.data)) for item in earlier}

    async def _last_entry(self, run: Run) -> Entry | None:
        """The log's ending of the run, if the log still has it and the reader is not past it."""
        try:
            last = await self._events.last_entry(run.id)
        except (RedisError, OSError):
            return None
        return last if last is not None and last.name in ENDINGS and last.place >= self._place else None

    async def _rows(self, session: AsyncSession) -> _Rows | None:
        """The run, its steps and their messages; None where it is gone."""
        run = await session.get(Run, self.run_id)
        return None if run is None else await self._rows_of(session, run)

    async def _rows_of(self, session: AsyncSession, run: Run, *, only_new: bool = False) -> _Rows:
        """The same of a run that has been read; `only_new`: of its steps those that may tell this reader something.

        A quiet run is looked at every other second for each of its readers, and has none such.
        """
        wanted = select(RunStep).where(RunStep.run_id == run.id).order_by(RunStep.seq)
        if only_new:
            # A step that was begun or ended there has been told of whole.
            since = self._place._replace(number=max(0, self._place.number - MOST_AT_ONCE + 1)).packed
            wanted = wanted.where(or_(RunStep.begun_place > since, RunStep.ended_place > since))
        steps = (await session.scalars(wanted)).all()
        if not steps:
            return run, steps, {}
        written = select(Message).where(Message.run_id == run.id, Message.thread_id == run.thread_id)
        return run, steps, {message.id: message for message in await session.scalars(written)}

    def _may_be_dropped(self, run: Run) -> bool:
        """Whether something that was begun for this reader may have gone with its worker."""
        return self._told.is_open and run.attempt > self._place.attempt

    def _tell(self, story: list[Placed], rows: _Rows, before: Place | None = None) -> bytes:
        """The frames of what is behind this reader in `story` and, with `before`, is missing before that place."""
        attempt = self._place.attempt
        new = [placed for placed in story if placed.place > self._place and (before is None or placed.place < before)]
        if (before.attempt if before is not None else rows[0].attempt) > attempt:
            new = sorted([*new, *self._dropped(rows, attempt)], key=lambda placed: placed.place)
        frames, self._has_rows = self._frames(new), True
        if before is not None:
            self._torn |= {object_id(placed.event.data) for placed in new}
            if before.attempt == attempt or before.number > 1:
                self._torn |= {object_id(placed.event.data) for placed in story if placed.place < before}
        return frames

    def _dropped(self, rows: _Rows, attempt: int) -> list[Placed]:
        """The events that end, in `attempt`, what has begun for this reader and is in the rows no more."""
        _, steps, messages = rows
        kept = {step.id for step in steps} | messages.keys()
        return [Placed(Place(attempt, n), item) for n, item in enumerate(self._told.end_dropped(kept), _OF_DROPPED)]

    def _frames(self, story: Iterable[Placed]) -> bytes:
        """The frames of what is new in `story`. A reader that is cut off in them goes on behind the same places."""
        frames = []
        for place, item in story:
            if place <= self._place or self._told.is_behind(item):
                continue
            self._place = place
            self._told.take(item)
            frames.append(frame(place, *item))
        return b"".join(frames)

    def _gone(self) -> bytes:
        """Both forms in one object: which of them a client's version understands differs (contract, section 7)."""
        self.ended = True
        body = RunGone("The thread of this run was deleted.", code="thread_deleted").body()
        return b"event: error\ndata: %s\n\n" % orjson.dumps(body | body["error"])
