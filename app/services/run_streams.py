"""A run's events as server-sent events: from its log, or, where the log is lost or silent, from the database.

Takes ids, never a session: the stream outlives the request's transaction. A reader never hangs: while the log is
silent the run's rows are looked at now and then, and an ended run's stream is finished from them.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import structlog

from app.db.session import DATABASE_AWAY, Sessions
from app.errors import in_brief
from app.events import KEEP_ALIVE, EventLog, Place
from app.services.run_reader import RunReader

log = structlog.get_logger()

#: How long the log may be silent before the run's row is asked, in seconds.
_PATIENCE: Final = 2.0
#: The same for a reader's first look: there is a log, and it answers at once, or there is none.
_FIRST_PATIENCE: Final = 0.2
#: What a look at the rows may take: a reader of a database that is silent still hears that the stream lives.
_ROWS_SECONDS: Final = 5.0


async def stream(
    sessions: Sessions, events: EventLog, run_id: str, after: Place, keep_alive: float
) -> AsyncIterator[bytes]:
    """The frames of a run's events behind `after`, up to the run's ending or its pause, and then `done`.

    A comment is sent after `keep_alive` seconds of silence. A run deleted meanwhile ends the stream with an `error`
    event.
    """
    reader = RunReader(sessions, events, run_id, after)
    clock = asyncio.get_running_loop().time
    told_at, heard_at, patience = clock(), clock(), _FIRST_PATIENCE
    async with events.subscribe(run_id, after) as subscription:
        while not reader.ended:
            entries = await subscription.get(patience)
            patience = min(_PATIENCE, keep_alive)
            if entries:
                heard_at = clock()
            told = reader.pass_on(entries)
            if not entries or reader.is_held_up:
                told += await _from_rows(reader, clock() - heard_at)
            if told:
                told_at = clock()
                yield told
            elif clock() - told_at >= keep_alive:
                told_at = clock()
                yield KEEP_ALIVE
    yield reader.done()


async def _from_rows(reader: RunReader, silent_seconds: float) -> bytes:
    """The frames of what the rows tell that the log did not; none while the database is away."""
    try:
        async with asyncio.timeout(_ROWS_SECONDS):
            if reader.is_held_up:
                return await reader.bridge()
            return await reader.look_at_rows(silent_seconds)
    except DATABASE_AWAY as error:
        # So nothing has ended; the reader waits as the run does.
        log.warning("rows_away", run_id=reader.run_id, error=in_brief(error))
        return b""
